//! Few places for the least of many items.

/// Puts `item` first, moves all others up by one, and drops the last.
pub(super) fn shift_in<T>(slots: &mut [T], item: T) {
    // Rotating no slots would panic.
    if !slots.is_empty() {
        slots.rotate_right(1);
    }
    if let Some(first) = slots.first_mut() {
        *first = item;
    }
}
