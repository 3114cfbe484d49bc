//! Activations that arrive in slices against those that come whole: the same bytes, for every
//! kernel that this CPU runs.

extern crate std;

use super::{Random, Reverse};
use crate::kernels::{self, Encoding, FormatKernels};
use crate::mem::{Arena, MemoryPlan};
use crate::ops::{Encoder, Gathered, KEEP, OpError, Wanted};
use crate::port::{Parallel, Serial};
use std::vec::Vec;

const COLUMNS: usize = 5 * 256;
const ROWS: usize = 33;

fn tables() -> impl Iterator<Item = &'static FormatKernels> {
    kernels::ALL.iter().filter_map(|candidate| candidate(kernels::detected()))
}

/// Bits of everything that a kernel reads.
type Bits = (Vec<i8>, Vec<u32>, Vec<i16>, Vec<u32>);

fn bits(activations: &kernels::Activations<'_>) -> Bits {
    let f32_bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    (
        activations.quants.to_vec(),
        f32_bits(activations.scales),
        activations.sums.to_vec(),
        f32_bits(activations.float),
    )
}

fn whole(kernels: &'static FormatKernels, values: &[f32]) -> Bits {
    let mut memory = std::vec![0; 16 * ROWS * COLUMNS];
    let mut arena = Arena::new(&mut memory);
    let mut encoder = Encoder::take(ROWS as u64, COLUMNS as u64, &mut arena);
    let mut values = values.to_vec();
    let wanted = &mut [kernels].into_iter();
    encoder.encode(&Serial, wanted, &mut values, COLUMNS, KEEP).unwrap();
    let mut found = encoder.activations(kernels.encoding(), &values).unwrap();
    if kernels.encoding() != Encoding::F32 {
        found.float = &[];
    }
    bits(&found)
}

fn sliced(
    kernels: &'static FormatKernels,
    values: &[f32],
    slice: usize,
    parallel: &dyn Parallel,
) -> Result<Bits, OpError> {
    let wanted = Wanted::default().and(kernels.encoding());
    let mut memory = std::vec![0xff; 16 * ROWS * COLUMNS];
    let mut arena = Arena::new(&mut memory);
    let mut gathered = Gathered::take(wanted, ROWS as u64, COLUMNS as u64, &mut arena);
    gathered.begin(kernels, ROWS, COLUMNS);
    for first in (0..COLUMNS).step_by(slice) {
        let columns = slice.min(COLUMNS - first);
        let rows = values.chunks_exact(COLUMNS);
        let mut part: Vec<f32> =
            rows.flat_map(|row| &row[first..first + columns]).copied().collect();
        gathered.put(parallel, first, &mut part, KEEP)?;
    }
    Ok(bits(&gathered.activations(kernels.encoding()).unwrap()))
}

#[test]
fn slices_are_encoded_as_the_whole_row() {
    let mut random = Random(7);
    let values: Vec<f32> = (0..ROWS * COLUMNS).map(|_| random.next()).collect();
    let mut ran = 0;
    for kernels in tables() {
        let expected = whole(kernels, &values);
        for slice in [256, 512, 768, COLUMNS] {
            let what = std::format!("{:?} {slice}", kernels.encoding());
            assert_eq!(sliced(kernels, &values, slice, &Serial), Ok(expected.clone()), "{what}");
            let reverse = sliced(kernels, &values, slice, &Reverse { workers: 3 });
            assert_eq!(reverse, Ok(expected.clone()), "{what}, workers");
        }
        ran += 1;
    }
    assert!(ran > 0);
}

#[test]
fn slices_that_do_not_fit_are_errors() {
    let values = std::vec![0.5; ROWS * COLUMNS];
    for kernels in tables() {
        // Not whole blocks.
        if let Encoding::Int8 { .. } = kernels.encoding() {
            assert_eq!(sliced(kernels, &values, 40, &Serial), Err(OpError::Shape));
        }
        let mut counted = MemoryPlan::new();
        let mut gathered = Gathered::take(Wanted::default(), 2, 256, &mut counted);
        let mut part = [0.0; 512];
        // Not begun; then without buffers, beyond the row, and not as many rows.
        assert_eq!(gathered.put(&Serial, 0, &mut part, KEEP), Err(OpError::Shape));
        gathered.begin(kernels, 2, 256);
        assert_eq!(gathered.put(&Serial, 0, &mut part, KEEP), Err(OpError::Shape));
        assert_eq!(gathered.put(&Serial, 256, &mut part, KEEP), Err(OpError::Shape));
        assert_eq!(gathered.put(&Serial, usize::MAX, &mut part, KEEP), Err(OpError::Shape));
        assert_eq!(gathered.put(&Serial, 0, &mut part[..511], KEEP), Err(OpError::Shape));
        assert!(gathered.activations(kernels.encoding()).is_none());
    }
}
