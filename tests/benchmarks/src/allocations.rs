//! An allocator that counts what each thread requests.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Sub;

/// The system's allocator, counting.
#[derive(Debug)]
pub struct Counting;

/// What a thread has requested so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocations {
    /// Calls that returned memory, reallocations included.
    pub calls: i64,
    /// The bytes that they returned.
    pub bytes: i64,
    /// The bytes that have not been freed.
    pub live: i64,
}

thread_local! {
    static CALLS: Cell<i64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

impl Allocations {
    pub fn now() -> Self {
        Allocations { calls: CALLS.get(), bytes: BYTES.get(), live: LIVE.get() }
    }
}

impl Sub for Allocations {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Allocations {
            calls: self.calls - before.calls,
            bytes: self.bytes - before.bytes,
            live: self.live - before.live,
        }
    }
}

fn count(calls: i64, given: usize, taken: usize) {
    let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    CALLS.set(CALLS.get() + calls);
    BYTES.set(BYTES.get() + signed(given));
    LIVE.set(LIVE.get() + signed(given) - signed(taken));
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}
