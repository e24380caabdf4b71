//! Large buffers, used again: fresh ones come from the kernel page by page, which takes a quarter of a set's time.

use std::cell::RefCell;

/// Buffers that are kept, at most.
const KEPT: usize = 8;

/// Bytes that are kept together, at most: a picture of 24 million pixels, and a display picture and its copies.
const KEPT_BYTES: usize = 96 << 20;

/// Up to this size, a buffer is used for what needs less than half of it, and makes room for no other.
const SMALL_BYTES: usize = 16 << 20;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of zeros, for what may leave some of it as it is: a decoder that comes to the end of a broken file must not show
/// what another picture has left.
pub(crate) fn zeroed(length: usize) -> Vec<u8> {
    match used(length) {
        Some(mut buffer) => {
            buffer.clear();
            buffer.resize(length, 0);
            buffer
        }
        // Zeros from the kernel, which nobody has to write.
        None => vec![0; length],
    }
}

/// A buffer of this length for who writes all of it: what is in it is left over from another picture, or zero.
pub(crate) fn take(length: usize) -> Vec<u8> {
    match used(length) {
        Some(mut buffer) => {
            buffer.resize(length, 0);
            buffer
        }
        None => vec![0; length],
    }
}

/// One that was given back and fits.
fn used(length: usize) -> Option<Vec<u8>> {
    BUFFERS.with_borrow_mut(|buffers| {
        let candidates = buffers.iter().enumerate().filter(|(_, buffer)| buffer.capacity() >= length);
        let smallest = candidates.min_by_key(|(_, buffer)| buffer.capacity()).map(|(at, _)| at);
        let fitting = smallest.filter(|at| buffers[*at].capacity() <= (length * 2).max(SMALL_BYTES));
        if fitting.is_none() && length > SMALL_BYTES {
            // The largest makes room, be it for a larger one or for what else the smaller picture takes: kept beside it, it
            // would only add to the peak.
            if let Some(largest) = (0..buffers.len()).max_by_key(|at| buffers[*at].capacity()) {
                buffers.swap_remove(largest);
            }
        }
        fitting.map(|at| buffers.swap_remove(at))
    })
}

/// Lets all buffers go: before what takes much memory of its own.
pub(crate) fn clear() {
    BUFFERS.with_borrow_mut(Vec::clear);
}

/// Keeps a buffer for the next one, as long as all together stay small.
pub(crate) fn give(buffer: Vec<u8>) {
    BUFFERS.with_borrow_mut(|buffers| {
        buffers.push(buffer);
        while buffers.len() > KEPT || buffers.iter().map(Vec::capacity).sum::<usize>() > KEPT_BYTES {
            let largest = buffers.iter().enumerate().max_by_key(|(_, buffer)| buffer.capacity());
            let smallest = buffers.iter().enumerate().min_by_key(|(_, buffer)| buffer.capacity());
            let leaving = if buffers.len() > KEPT { smallest } else { largest };
            let Some((at, _)) = leaving else { break };
            buffers.swap_remove(at);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decoder_gets_holds_nothing_of_another_picture() {
        for length in [3, 4096, 2 * SMALL_BYTES] {
            give(vec![7; length]);
            let kept = BUFFERS.with_borrow(|buffers| buffers.iter().any(|buffer| buffer.capacity() >= length));
            assert!(kept, "the buffer is there to be used again");
            assert!(zeroed(length).iter().all(|byte| *byte == 0), "{length} bytes");
        }
    }
}
