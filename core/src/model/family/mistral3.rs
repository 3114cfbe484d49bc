//! Ministral 3: queries grow with their position.

use super::Family;
use crate::model::config::Temperature;
use crate::model::error::ModelError;
use crate::ops::RopeScaling;

/// Dense models.
pub static MISTRAL3: Family = Family {
    architecture: "mistral3",
    configure: |keys, config| {
        const SCALE: &str = "attention.temperature_scale";
        let scale = keys.f32(SCALE)?.unwrap_or(0.0);
        if !scale.is_finite() {
            return Err(ModelError::InvalidKey(SCALE));
        }
        let length = match config.rope.scaling {
            RopeScaling::Yarn { original_context, .. } => original_context,
            _ => config.context_trained,
        };
        config.temperature = (scale != 0.0).then_some(Temperature { scale, length });
        Ok(())
    },
    ..Family::PLAIN
};
