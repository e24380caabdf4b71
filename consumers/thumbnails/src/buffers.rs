//! Large buffers, used again and in large pages: fresh ones come from the kernel page by page, which takes a quarter of a
//! set's time.

use std::alloc::{Layout, handle_alloc_error};
use std::cell::RefCell;
use std::mem;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Buffers that are kept, at most.
const KEPT: usize = 8;

/// Bytes that are kept together, at most: a picture of 24 million pixels, and a display picture and its copies.
const KEPT_BYTES: usize = 96 << 20;

/// Up to this size, a buffer is used for what needs less than half of it, and makes room for no other.
const SMALL_BYTES: usize = 16 << 20;

/// From this size, a new buffer stands alone: what is kept beside it, a display picture and its copies, would add a quarter to
/// the peak, and costs little to make again next to that many pixels.
const ALONE_BYTES: usize = 64 << 20;

/// From this size, a buffer is not the allocator's but the kernel's, which is asked for large pages: a tenth of the time, and it
/// has them back at once.
const PAGES_BYTES: usize = 4 << 20;

thread_local! {
    static ROOMS: RefCell<Vec<Room>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of a picture. Dropped, their room is kept for the next ones, as long as all together stay small.
pub(crate) struct Buffer {
    room: Room,
    length: usize,
}

enum Room {
    Heap(Vec<u8>),
    Pages(MmapMut),
}

impl Buffer {
    /// Leaves out what is behind so many bytes. An allocator's room is given back as well.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        if let Room::Heap(bytes) = &mut self.room {
            bytes.truncate(self.length);
            bytes.shrink_to_fit();
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.room {
            Room::Heap(bytes) => &bytes[..self.length],
            Room::Pages(bytes) => &bytes[..self.length],
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.room {
            Room::Heap(bytes) => &mut bytes[..self.length],
            Room::Pages(bytes) => &mut bytes[..self.length],
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len(), room: Room::Heap(bytes) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        keep(mem::replace(&mut self.room, Room::Heap(Vec::new())));
    }
}

impl Room {
    /// Zeros, which the kernel has written or is going to.
    fn new(length: usize) -> Self {
        if length < PAGES_BYTES {
            return Self::Heap(vec![0; length]);
        }
        let Ok(bytes) = MmapMut::map_anon(length) else {
            handle_alloc_error(Layout::array::<u8>(length).expect("the length of a picture"));
        };
        // Where it has none, they stay small.
        #[cfg(target_os = "linux")]
        bytes.advise(memmap2::Advice::HugePage).ok();
        Self::Pages(bytes)
    }

    fn size(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.len(),
            Self::Pages(bytes) => bytes.len(),
        }
    }
}

/// A buffer of zeros, for what may leave some of it as it is: a decoder that comes to the end of a broken file must not show
/// what another picture has left.
pub(crate) fn zeroed(length: usize) -> Buffer {
    match used(length) {
        Some(mut buffer) => {
            buffer.fill(0);
            buffer
        }
        None => fresh(length),
    }
}

/// A buffer of this length for who writes all of it: what is in it is left over from another picture, or zero.
pub(crate) fn take(length: usize) -> Buffer {
    used(length).unwrap_or_else(|| fresh(length))
}

/// A buffer of zeros that is soon truncated, and then really has only what is left.
pub(crate) fn truncated_soon(length: usize) -> Buffer {
    clear();
    vec![0; length].into()
}

fn fresh(length: usize) -> Buffer {
    Buffer { room: Room::new(length), length }
}

/// One that was kept and fits.
fn used(length: usize) -> Option<Buffer> {
    let room = ROOMS.with_borrow_mut(|rooms| {
        let candidates = rooms.iter().enumerate().filter(|(_, room)| room.size() >= length);
        let smallest = candidates.min_by_key(|(_, room)| room.size()).map(|(at, _)| at);
        let fitting = smallest.filter(|at| rooms[*at].size() <= (length * 2).max(SMALL_BYTES));
        if fitting.is_none() && length > ALONE_BYTES {
            rooms.clear();
        } else if fitting.is_none() && length > SMALL_BYTES {
            // The largest makes room, be it for a larger one or for what else the smaller picture takes: kept beside it, it
            // would only add to the peak.
            if let Some(largest) = (0..rooms.len()).max_by_key(|at| rooms[*at].size()) {
                rooms.swap_remove(largest);
            }
        }
        fitting.map(|at| rooms.swap_remove(at))
    });
    room.map(|room| Buffer { room, length })
}

/// Lets all rooms go: before what takes much memory of its own.
pub(crate) fn clear() {
    ROOMS.with_borrow_mut(Vec::clear);
}

fn keep(room: Room) {
    if room.size() == 0 {
        return;
    }
    ROOMS.with_borrow_mut(|rooms| {
        rooms.push(room);
        while rooms.len() > KEPT || rooms.iter().map(Room::size).sum::<usize>() > KEPT_BYTES {
            let largest = rooms.iter().enumerate().max_by_key(|(_, room)| room.size());
            let smallest = rooms.iter().enumerate().min_by_key(|(_, room)| room.size());
            let leaving = if rooms.len() > KEPT { smallest } else { largest };
            let Some((at, _)) = leaving else { break };
            rooms.swap_remove(at);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decoder_gets_holds_nothing_of_another_picture() {
        for length in [3, 4096, 2 * SMALL_BYTES] {
            take(length).fill(7);
            let kept = ROOMS.with_borrow(|rooms| rooms.iter().any(|room| room.size() >= length));
            assert!(kept, "the buffer is there to be used again");
            assert!(zeroed(length).iter().all(|byte| *byte == 0), "{length} bytes");
        }
    }

    #[test]
    fn what_is_left_out_is_not_there_any_more_whatever_the_room_is() {
        for mut buffer in [take(9), take(PAGES_BYTES + 1), truncated_soon(9), vec![7; 9].into()] {
            buffer[3] = 5;
            buffer.truncate(4);
            buffer.truncate(7);
            assert_eq!((buffer.len(), buffer[3]), (4, 5));
        }
    }
}
