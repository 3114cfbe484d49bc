//! From a model file and settings to an engine that is ready: the one place that knows the steps.
//!
//! ```text
//! let machine = Machine::new(threads)?;                    workers and kernels
//! let file = ModelFile::open(path)?;                       the file, mapped
//! let gguf = file.gguf()?;                                 its header, parsed
//! let model = Model::of(&machine, &file, &gguf, skipped)?; its header, understood
//! let plan = Plan::new(&model, needs)?;                    the memory, counted
//! let source = ceiling::open(&model, plan, ram)?;          the weights, mapped or streamed
//! let mut memory = source.plan.reserve()?;                 the memory, taken
//! let session = source.session(&mut memory)?;              the engine, loaded
//! ```

mod chat;
mod machine;
mod model_file;
mod parts;
mod plan;
mod source;
pub(crate) mod text;

pub(crate) use chat::chat;
pub(crate) use machine::Machine;
pub(crate) use model_file::{Contents, Model, ModelFile, read_words};
pub(crate) use plan::{Needs, Plan, reserve};
pub(crate) use source::Source;
