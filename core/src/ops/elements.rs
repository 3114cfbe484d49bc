//! Loops over elements, in steps where code is compiled for size: compilers then make vectors only
//! of loops whose count they know.

/// Elements a step: 128 bits, which most instruction sets with vectors have.
pub(super) const STEP: usize = 4;

/// Replaces each `x[i]` by `f(x[i], y[i])`; both are of one length.
#[inline]
pub(super) fn combine(x: &mut [f32], y: &[f32], f: impl Fn(f32, f32) -> f32) {
    debug_assert!(x.len() == y.len());
    let plain = |x: &mut [f32], y: &[f32]| {
        for (x, y) in x.iter_mut().zip(y) {
            *x = f(*x, *y);
        }
    };
    if cfg!(feature = "inlined") {
        return plain(x, y);
    }
    let (x, x_rest) = x.as_chunks_mut::<STEP>();
    let (y, y_rest) = y.as_chunks::<STEP>();
    for (x, y) in x.iter_mut().zip(y) {
        plain(x, y);
    }
    plain(x_rest, y_rest);
}

/// Multiplies each element by `factor`.
#[inline]
pub(super) fn multiply(x: &mut [f32], factor: f32) {
    let plain = |x: &mut [f32]| x.iter_mut().for_each(|x| *x *= factor);
    if cfg!(feature = "inlined") {
        return plain(x);
    }
    let (steps, rest) = x.as_chunks_mut::<STEP>();
    for step in steps {
        plain(step);
    }
    plain(rest);
}
