//! The machine's workers and instruction sets, as options and environment limit them.

use super::model_file::{ModelFile, read_words};
use crate::platform::cpu;
use crate::platform::threads::{Pool, usable_cores};
use crate::report::Failure;
use picolm_core::kernels::{self, Candidate, VectorCandidate, portable};
use picolm_core::model::{Build, ModelError, family};
use picolm_core::port::CpuFeatures;
use std::ffi::OsString;

/// Workers, and the kernels that they may use.
pub(crate) struct Machine {
    pub(crate) pool: Pool,
    pub(super) build: Build<'static>,
}

impl Machine {
    /// A machine with `threads` workers; 0 stands for the number of usable cores.
    pub(crate) fn new(threads: usize) -> Result<Self, Failure> {
        let build = build()?;
        let pool = Pool::new(if threads == 0 { usable_cores() } else { threads });
        Ok(Self { pool, build })
    }

    /// A failure that names `file`, says why its model does not run here and what can be done.
    pub(super) fn model_failure(&self, file: &ModelFile, error: ModelError) -> Failure {
        match error {
            ModelError::Context { .. } => file
                .failure(format_args!("{error}: ask for fewer tokens (-c, or bench's -p and -n)")),
            ModelError::Read(read) => file.failure(read_words(read)),
            _ => file.explained(error, Some(&self.build)),
        }
    }
}

/// The kernels and architectures of this build, without those that the environment forbids.
pub(super) fn build() -> Result<Build<'static>, Failure> {
    let mut cpu = cpu::detect();
    let mut formats: &[Candidate] = kernels::ALL;
    let mut vectors: &[VectorCandidate] = kernels::VECTORS;
    if let Some(level) = variable("PICOLM_CPU")? {
        cpu = limited(cpu, &level)?;
        if level == "portable" {
            (formats, vectors) = (portable::ALL, portable::VECTORS);
        }
    }
    match variable("PICOLM_ACTIVATIONS")?.as_deref() {
        None => {}
        Some("f32") => formats = portable::float_activations::FLOAT_ACTIVATIONS,
        Some(other) => {
            return Err(Failure::usage(format!("PICOLM_ACTIVATIONS: '{other}' is not f32")));
        }
    }
    Ok(Build { formats, vectors, families: family::ALL, cpu })
}

fn limited(cpu: CpuFeatures, level: &str) -> Result<CpuFeatures, Failure> {
    cpu::limit(cpu, level).map_err(|error| match error {
        cpu::LevelError::Unknown => {
            let known: Vec<_> = cpu::levels().collect();
            let known = known.join(", ");
            Failure::usage(format!("PICOLM_CPU: '{level}' is none of {known}"))
        }
        cpu::LevelError::Unsupported => {
            Failure::usage(format!("PICOLM_CPU: this CPU has no {level}"))
        }
    })
}

/// The value of an environment variable; `None` if it is not set or empty.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    let value = value.map(OsString::into_string).transpose();
    value.map_err(|_| Failure::usage(format!("{name}: the value is not text")))
}
