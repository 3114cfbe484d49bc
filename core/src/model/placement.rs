//! What a file's tensors are: each is one of the table, in a block that runs, of the shape that the
//! configuration asks for. A fused tensor is placed as its parts, so that a pass never knows.
//!
//! Every tensor of a file must be known: one that is left out would change the answers silently.

use super::config::{Config, LayerShape};
use super::error::{ModelError, Name, TensorSlot};
use super::family::Family;
use super::tensor::{Shape, Tensor};
use crate::gguf::{Gguf, TensorInfo, Tensors};

/// Whether a file's entry holds a tensor's weight or its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Weight,
    Bias,
}

impl Part {
    /// What follows the tensor's name.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Weight => ".weight",
            Self::Bias => ".bias",
        }
    }

    /// The shape of this part of a tensor in blocks of the shape `layer`.
    // As for `Family::needs`, speed is of no matter here, and bytes are.
    #[inline(never)]
    fn shape_of(self, tensor: Tensor, config: &Config, layer: &LayerShape) -> Shape {
        match self {
            Self::Weight => tensor.shape(config, layer),
            Self::Bias => Shape { columns: tensor.bias_len(config, layer), rows: 1, experts: 1 },
        }
    }

    /// The dimensions of these tensors' parts, one after the other.
    #[inline(never)]
    fn dimensions(self, tensors: &[Tensor], config: &Config, layer: &LayerShape) -> [u64; 4] {
        let mut dimensions = [0, 0, 0, 1];
        for &tensor in tensors {
            let shape = self.shape_of(tensor, config, layer);
            let own = [shape.columns, shape.rows, shape.experts].map(u64::from);
            match self {
                Self::Weight => (dimensions[0], dimensions[1]) = (own[0], dimensions[1] + own[1]),
                Self::Bias => (dimensions[0], dimensions[1]) = (dimensions[0] + own[0], own[1]),
            }
            dimensions[2] = own[2];
        }
        dimensions
    }
}

/// One tensor of the file, or a part of one that several were fused into.
pub(super) struct Placed<'a> {
    /// Its block among those that run, or `None` for a tensor outside of blocks.
    pub(super) layer: Option<u32>,
    pub(super) tensor: Tensor,
    pub(super) part: Part,
    pub(super) shape: Shape,
    /// Rows from one expert's matrix to the next one's.
    pub(super) expert_rows: u32,
    /// Offset and bytes are the part's.
    pub(super) info: TensorInfo<'a>,
    slot: TensorSlot,
}

impl Placed<'_> {
    /// Its place in the file, for a message.
    pub(super) const fn slot(&self) -> TensorSlot {
        self.slot
    }

    /// Whether it stays in the file.
    pub(super) fn is_matrix(&self) -> bool {
        self.part == Part::Weight && self.tensor.kind().is_matrix()
    }
}

/// The place of a tensor in the file; `number` is that of its block.
pub(super) const fn slot(number: Option<u32>, name: &'static str, part: Part) -> TensorSlot {
    TensorSlot { layer: number, name, suffix: part.suffix() }
}

/// The place of a weight in the files of a family; `number` is that of its block.
pub(super) fn slot_of(family: &Family, number: Option<u32>, tensor: Tensor) -> TensorSlot {
    let renamed =
        family.fused.iter().find(|fused| matches!(fused.parts, [only] if *only == tensor));
    let (name, is_bare) = match renamed {
        Some(renamed) => (renamed.name, renamed.is_bare),
        None => (tensor.name(), tensor.is_bare()),
    };
    let suffix = if is_bare { "" } else { Part::Weight.suffix() };
    TensorSlot { layer: number, name, suffix }
}

/// Every tensor of the blocks that run and outside of blocks, its shape checked.
pub(super) fn placed<'a>(
    gguf: &Gguf<'a>,
    config: &Config,
    family: &'static Family,
) -> impl Iterator<Item = Result<Placed<'a>, ModelError>> + use<'a> {
    Placements { infos: gguf.tensors(), config: *config, family, rest: None }
}

struct Placements<'a> {
    infos: Tensors<'a>,
    config: Config,
    family: &'static Family,
    rest: Option<Rest<'a>>,
}

impl<'a> Iterator for Placements<'a> {
    type Item = Result<Placed<'a>, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.as_mut();
            if let Some(placed) = rest.and_then(|rest| rest.split_first(&self.config)) {
                return Some(Ok(placed));
            }
            match find(self.infos.next()?, &self.config, self.family) {
                Ok(found) => self.rest = found,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What has not been placed yet of one tensor of the file.
struct Rest<'a> {
    info: TensorInfo<'a>,
    layer: Option<u32>,
    part: Part,
    slot: TensorSlot,
    /// The tensors that it holds: one, or those that were fused.
    tensors: &'static [Tensor],
    shape: LayerShape,
    /// Rows of all of them, of one expert.
    expert_rows: u32,
}

impl<'a> Rest<'a> {
    fn split_first(&mut self, config: &Config) -> Option<Placed<'a>> {
        let Self { info, layer, part, slot, tensors, .. } = *self;
        let (&tensor, rest) = tensors.split_first()?;
        let shape = part.shape_of(tensor, config, &self.shape);
        let elements = u64::from(shape.columns) * u64::from(shape.rows);
        // A row is whole blocks, or the file would not have been read.
        let bytes = info.tensor_type.bytes_for(elements).unwrap_or(0);
        self.tensors = rest;
        // An expert's parts follow each other.
        self.info.offset += bytes;
        let info = TensorInfo { bytes: bytes * u64::from(shape.experts), ..info };
        let expert_rows = self.expert_rows;
        Some(Placed { layer, tensor, part, shape, expert_rows, info, slot })
    }
}

/// What one tensor of the file holds; `None` where its block is skipped or does without it.
fn find<'a>(
    info: TensorInfo<'a>,
    config: &Config,
    family: &Family,
) -> Result<Option<Rest<'a>>, ModelError> {
    let unknown = ModelError::UnknownTensor(Name::new(info.name));
    let (number, name) = block_of(info.name, config.n_layer_stored()).ok_or(unknown)?;
    let layer = match number.map(|number| config.index_of(number)) {
        Some(None) => return Ok(None),
        kept => kept.flatten(),
    };
    // Outside of blocks no length depends on one.
    let shape = family.block.layer(config, number.unwrap_or(0));
    let needs = if number.is_some() { family.needs(&shape) } else { family.needs_outside(config) };
    let endings = [
        ("", Part::Weight),
        (Part::Weight.suffix(), Part::Weight),
        (Part::Bias.suffix(), Part::Bias),
    ];
    for (suffix, part) in endings {
        let Some(name) = name.strip_suffix(suffix.as_bytes()) else { continue };
        let known = if part == Part::Bias { needs.biases } else { needs.known() };
        let dimensions = |tensors: &[Tensor]| part.dimensions(tensors, config, &shape);
        let fits = |tensors: &[Tensor]| info.dimensions == dimensions(tensors);
        let named =
            |entry: &str, is_bare: bool| entry.as_bytes() == name && is_bare == suffix.is_empty();
        let is = |tensor: &Tensor| named(tensor.name(), tensor.is_bare());
        if part == Part::Weight && needs.unread.iter().any(|tensor| is(&tensor)) {
            return Ok(None);
        }
        let alone = known.iter().find(is);
        // Where it has the name of a part, too, the shape decides.
        let fused = family.fused.iter().find(|fused| {
            let holds = fused.parts.iter().all(|&tensor| known.contains(tensor));
            named(fused.name, fused.is_bare) && holds && (alone.is_none() || fits(fused.parts))
        });
        let (name, tensors) = match (fused, alone) {
            (Some(fused), _) => (fused.name, fused.parts),
            (None, Some(tensor)) => (tensor.name(), tensor.alone()),
            (None, None) => continue,
        };
        let slot = TensorSlot { layer: number, name, suffix };
        if !fits(tensors) {
            return Err(ModelError::WrongShape(slot));
        }
        // Shapes have at most 2^24 rows.
        let expert_rows = dimensions(tensors)[1] as u32;
        return Ok(Some(Rest { info, layer, part, slot, tensors, shape, expert_rows }));
    }
    Err(unknown)
}

/// The number of a tensor's block, and what follows it in the name.
fn block_of(name: &[u8], n_layer: u32) -> Option<(Option<u32>, &[u8])> {
    let Some(rest) = name.strip_prefix(b"blk.") else { return Some((None, name)) };
    let dot = rest.iter().position(|&byte| byte == b'.')?;
    let (number, name) = rest.split_at_checked(dot)?;
    // "blk.03" and "blk.+3" are other names than "blk.3".
    if number.len() > 1 && number.first() == Some(&b'0') || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = str::from_utf8(number).ok()?.parse().ok().filter(|&number| number < n_layer)?;
    Some((Some(number), name.get(1..)?))
}
