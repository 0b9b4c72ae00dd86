// SPDX-License-Identifier: MIT
//! tokio's RwLock, in one runtime of one thread, or of two where two tasks use one
//! lock beside each other.
//!
//! Without contention: read().await and the drop of the guard, in one task.
//! Waiters are tasks, as nothing else can wait beside others.
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::RwLock;
use tokio::task::{spawn_local, yield_now, LocalSet};

const SLICE: u128 = 8_000_000;
const TOTAL: u128 = 150_000_000;
const MAX_SLICES: usize = 15;

#[repr(C)]
struct Timespec {
    seconds: std::os::raw::c_long,
    nanoseconds: std::os::raw::c_long,
}

extern "C" {
    fn clock_gettime(clock: i32, now: *mut Timespec) -> i32;
}

const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;

/// As bench_now() of bench.c.
fn now() -> u128 {
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the struct is that of the C library, and ours.
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.seconds as u128 * 1_000_000_000 + now.nanoseconds as u128
}

/// As bench_measure() of bench.c.
macro_rules! measure {
    ($operations:expr, $call:expr) => {{
        let mut count = 1;
        let mut total: u128 = $call(count).await;
        loop {
            while total < SLICE {
                count *= 2;
                total = $call(count).await;
            }
            total = $call(count).await;
            if total >= SLICE / 2 {
                break;
            }
        }
        let mut slices = vec![total];
        while count > 1 && slices.len() < MAX_SLICES && total < TOTAL {
            let taken = $call(count).await;
            total += taken;
            slices.push(taken);
        }
        slices.sort_unstable();
        slices[slices.len() / 2] as f64 / count as f64 / $operations as f64
    }};
}

async fn readers(lock: &RwLock<u64>, count: usize) -> u128 {
    let begun = now();
    let mut sum = 0;
    for _ in 0..count {
        sum += *lock.read().await;
    }
    assert_eq!(sum, 0);
    now() - begun
}

async fn writers(lock: &RwLock<u64>, count: usize) -> u128 {
    let begun = now();
    for _ in 0..count {
        *lock.write().await += 1;
    }
    now() - begun
}

async fn reader(lock: Rc<RwLock<u64>>, granted: Rc<Cell<usize>>) {
    let _guard = lock.read().await;
    granted.set(granted.get() + 1);
}

async fn writer(lock: Rc<RwLock<u64>>, granted: Rc<Cell<usize>>) {
    let _guard = lock.write().await;
    granted.set(granted.get() + 1);
}

/// Tasks, nine readers to a writer, that wait behind a writer.
async fn round_trips(n: usize, count: usize) -> u128 {
    let lock = Rc::new(RwLock::new(0));
    let granted = Rc::new(Cell::new(0));
    let begun = now();
    for round in 1..=count {
        let guard = lock.write().await;
        for i in 0..n {
            if i % 10 == 9 {
                spawn_local(writer(lock.clone(), granted.clone()));
            } else {
                spawn_local(reader(lock.clone(), granted.clone()));
            }
        }
        // The tasks are polled in their order, and this one is the last.
        spawn_local(async {}).await.unwrap();
        drop(guard);
        while granted.get() < round * n {
            yield_now().await;
        }
    }
    now() - begun
}

/// As many as in evdefer_group.c.
const READS: usize = 1000;

async fn use_often(lock: Arc<RwLock<u64>>, writes: bool, count: usize) {
    let mut sum = 0;
    for _ in 0..count {
        if writes {
            *lock.write().await += 1;
            for _ in 0..READS {
                sum += *lock.read().await;
            }
        } else {
            sum += *lock.read().await;
        }
    }
    assert!(writes || sum == 0);
}

/// Two tasks, in the time that passes.
async fn two(writes: bool, count: usize) -> u128 {
    let lock = Arc::new(RwLock::new(0));
    let begun = Instant::now();
    let tasks = [0, 1].map(|_| {
        tokio::spawn(use_often(lock.clone(), writes, count))
    });
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed().as_nanos()
}

async fn figure_of_two(work: &str, n: usize) -> Option<f64> {
    match work {
        "two-readers" => Some(measure!(2 * n, |count| two(false, count))),
        "two-mixed" => {
            Some(measure!(2 * n * (READS + 1), |count| two(true, count)))
        }
        _ => None,
    }
}

async fn figure(work: &str, n: usize) -> Option<f64> {
    let lock = RwLock::new(0);
    match work {
        "read-fast" => Some(measure!(n, |count| readers(&lock, count))),
        "write-fast" => Some(measure!(n, |count| writers(&lock, count))),
        "waiters" => Some(measure!(n, |count| round_trips(n, count))),
        _ => None,
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: usize = args[2].parse().expect("usage: tokio WORK N");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let figure = match args[1].as_str() {
        // Tasks that are not Send need a set of their own.
        "waiters" => LocalSet::new().block_on(&runtime, figure("waiters", n)),
        work @ ("two-readers" | "two-mixed") => {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .build()
                .unwrap()
                .block_on(figure_of_two(work, n))
        }
        work => runtime.block_on(figure(work, n)),
    };
    println!("{:.3}", figure.expect("no such work"));
}
