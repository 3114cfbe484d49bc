//! The random numbers: xoshiro256++, its state filled by SplitMix64.
//!
//! xoshiro256++: Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM
//! Transactions on Mathematical Software 47(4), 2021. SplitMix64: Steele, Lea and Flood, "Fast
//! splittable pseudorandom number generators", OOPSLA 2014, which the former recommend for seeding:
//! it mixes well, so that seeds 0, 1, 2 begin as far apart as any others, and never fills the
//! state with zeros only.

/// A generator of 64 random bits at a time, with a period of 2^256 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of `seed`; every seed is as good as any other.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        Self { state: core::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform in [0, 1): the top 53 bits, all that an f64 below 1 tells apart.
    pub fn next_f64(&mut self) -> f64 {
        unit(self.next_u64())
    }

    /// Uniform in [0, 1): the top 24 bits, all that an f32 below 1 tells apart.
    pub fn next_f32(&mut self) -> f32 {
        const UNIT: f32 = 1.0 / (1u32 << 24) as f32;
        (self.next_u64() >> 40) as f32 * UNIT
    }
}

/// `bits` as a number from 0 to below 1: the top 53.
pub(super) fn unit(bits: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
    (bits >> 11) as f64 * UNIT
}

/// SplitMix64's next output.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outputs for seed 1234567 that implementations of SplitMix64 are checked with.
    #[test]
    fn split_mix_gives_the_published_numbers() {
        let mut state = 1_234_567;
        let outputs: [u64; 5] = core::array::from_fn(|_| split_mix(&mut state));
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    /// The outputs of the authors' C program from state 1, 2, 3, 4.
    #[test]
    fn xoshiro_gives_the_published_numbers() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let outputs: [u64; 10] = core::array::from_fn(|_| rng.next_u64());
        assert_eq!(
            outputs,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386,
                9_228_616_714_210_784_205,
                9_973_669_472_204_895_162,
                14_011_001_112_246_962_877,
                12_406_186_145_184_390_807,
                15_849_039_046_786_891_736,
                10_450_023_813_501_588_000,
            ]
        );
    }

    #[test]
    fn uniform_numbers_fill_the_unit_interval_evenly() {
        let mut rng = Rng::new(7);
        let mut counts = [0u32; 16];
        for _ in 0..16_000 {
            let (wide, narrow) = (rng.next_f64(), rng.next_f32());
            assert!((0.0..1.0).contains(&wide) && (0.0..1.0).contains(&narrow));
            counts[(wide * 16.0) as usize] += 1;
            counts[(narrow * 16.0) as usize] += 1;
        }
        // 2,000 expected in each: the standard deviation is 43.
        assert!(counts.iter().all(|&count| count.abs_diff(2_000) < 215), "{counts:?}");
    }

    /// Where a bad seeding shows: small seeds whose first draws are all near 0.
    #[test]
    fn first_draws_of_small_seeds_are_spread() {
        let mut first = [0u64, 1, 42, 1000].map(|seed| Rng::new(seed).next_f64());
        first.sort_by(f64::total_cmp);
        assert!(first.windows(2).all(|pair| pair[1] - pair[0] > 1e-3), "{first:?}");
        assert!(first[3] - first[0] > 0.3, "{first:?}");
        let mean = (0..1000).map(|seed| Rng::new(seed).next_f64()).sum::<f64>() / 1000.0;
        // The standard deviation of the mean is 0.0091.
        assert!((mean - 0.5).abs() < 0.045, "{mean}");
    }
}
