//! The temperature of the draw, fixed or by how sure the model is.

use super::options::{ALL_STAGES, DynamicTemperature};
use super::scores::Scores;

/// The temperature for a choice among `ids`, around `temperature` (Kalomaze, "dynamic temperature
/// sampling", 2024): the entropy as a share of the largest possible, ln(n), raised to a power, says
/// how far to go from the least to the most.
pub(super) fn temperature(
    ids: &[u32],
    scores: &Scores<'_>,
    temperature: f32,
    dynamic: DynamicTemperature,
) -> f32 {
    if !ALL_STAGES || dynamic.range == 0.0 || ids.len() < 2 {
        return temperature;
    }
    let total = scores.total(ids);
    let entropy = libm::log(total) - scores.mean_difference(ids, total);
    let share = (entropy / libm::log(ids.len() as f64)).clamp(0.0, 1.0);
    let least = (temperature - dynamic.range).max(0.0);
    let most = (temperature + dynamic.range).min(f32::MAX);
    least + (most - least) * libm::pow(share, f64::from(dynamic.exponent)) as f32
}
