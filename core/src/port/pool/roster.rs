//! Which helpers take part in the next job: those that other programs leave their core to.
//!
//! A helper that is preempted with a chunk in its hands holds everyone up until the system runs it
//! again, some milliseconds later, while the chunk was one of microseconds. Two threads on a core
//! and a half are then slower than one. So each helper has an account: it earns by working and
//! pays for its delays. Overdrawn, it sits out the next jobs for as long as the last delay was; if
//! it is overdrawn again before it has filled its account, for 4 times as long, then 16, up to
//! [`LONGEST`] times. A daemon that passes by costs nothing that way. A neighbour that stays costs
//! 1 part in [`LONGEST`], and when it goes the helper is back after about a tenth of a second: 32
//! times a slice of 3 or 4 ms.

/// A rest at its longest, in times of what its helper had cost.
const LONGEST: u32 = 32;

/// A delay stops every worker, while a helper brings the work of one: it is worth its delays where
/// it works for more than `workers` times as long; twice that, to be on the safe side.
const WORTH: u64 = 2;

/// What an account holds at most, and at first: five slices of the system's scheduler. A neighbour
/// that takes half the core uses that up within a tenth of a second.
const CREDIT_NS: u64 = 20_000_000;

/// How one helper has behaved.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// Since when it has worked without delay: the end of its last one, or of its last rest, which
    /// may lie ahead.
    since_ns: u64,
    /// What is in its account.
    credit_ns: u64,
    /// Its last rest, in times of the delay before; 0 where it has filled its account since.
    times: u32,
}

/// The records of at most `WORKERS` workers (1 to 32) and who of them takes part. Worker 0 is the
/// caller. Times are of any clock that never goes back, in nanoseconds.
#[derive(Debug)]
pub struct Roster<const WORKERS: usize> {
    records: [Record; WORKERS],
    /// Bit `w` for worker `w`.
    admitted: u32,
    /// Bit `w` for every worker there is.
    all: u32,
    workers: usize,
}

impl<const WORKERS: usize> Roster<WORKERS> {
    /// Everyone of `workers` takes part.
    pub fn new(workers: usize) -> Self {
        const { assert!(WORKERS <= u32::BITS as usize) };
        let all = u32::MAX.checked_shr(u32::BITS - workers.min(WORKERS) as u32).unwrap_or(0);
        let record = Record { since_ns: 0, credit_ns: CREDIT_NS, times: 0 };
        Self { records: [record; WORKERS], admitted: all, all, workers }
    }

    /// Who takes part in a job that starts now; asks for the time only where someone rests.
    pub fn admit(&mut self, now_ns: impl FnOnce() -> u64) -> u32 {
        if self.admitted != self.all {
            let now_ns = now_ns();
            for (worker, record) in self.records.iter().enumerate() {
                if record.since_ns <= now_ns {
                    self.admitted |= self.all & 1 << worker;
                }
            }
        }
        self.admitted
    }

    /// `worker` has held a job up for `lost_ns`, until now.
    pub fn held_up(&mut self, worker: usize, lost_ns: u64, now_ns: u64) {
        let Some(record) = self.records.get_mut(worker) else { return };
        let worked_ns = now_ns.saturating_sub(record.since_ns);
        let earned_ns = worked_ns / WORTH / self.workers as u64;
        let credit_ns = record.credit_ns.saturating_add(earned_ns).min(CREDIT_NS);
        let times = if credit_ns == CREDIT_NS { 0 } else { record.times };
        if let Some(credit_ns) = credit_ns.checked_sub(lost_ns) {
            *record = Record { since_ns: now_ns, credit_ns, times };
            return;
        }
        let times = (times * 4).clamp(1, LONGEST);
        let rest_ns = lost_ns.saturating_mul(u64::from(times));
        *record = Record { since_ns: now_ns.saturating_add(rest_ns), credit_ns: 0, times };
        self.admitted &= !(1 << worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of as many workers as a pool has.
    type Roster = super::Roster<32>;

    const MS: u64 = 1_000_000;

    #[test]
    fn everyone_takes_part_until_it_costs_too_much_and_then_again() {
        for (workers, all) in [(1, 0b1), (3, 0b111), (32, u32::MAX)] {
            let mut roster = Roster::new(workers);
            assert_eq!(roster.admit(|| panic!("nobody rests")), all);
        }
        let mut roster = Roster::new(3);
        for _ in 0..5 {
            roster.held_up(2, 4 * MS, 10 * MS);
            assert_eq!(roster.admit(|| panic!("nobody rests")), 0b111);
        }
        roster.held_up(2, 4 * MS, 10 * MS);
        assert_eq!(roster.admit(|| 14 * MS - 1), 0b011);
        assert_eq!(roster.admit(|| 14 * MS), 0b111);
        assert_eq!(roster.admit(|| panic!("nobody rests")), 0b111);
    }

    #[test]
    fn rests_grow_while_it_goes_on_and_are_short_again_after_a_good_time() {
        let mut roster = Roster::new(2);
        let mut now_ns = 0;
        roster.held_up(1, CREDIT_NS, now_ns);
        for times in [1, 4, 16, 32, 32] {
            roster.held_up(1, 4 * MS, now_ns);
            assert_eq!(roster.admit(|| now_ns + times * 4 * MS - 1), 0b01);
            now_ns += times * 4 * MS;
            assert_eq!(roster.admit(|| now_ns), 0b11);
            now_ns += 5 * MS;
        }
        // Two workers, twice to be safe: a quarter of what it works fills the account.
        now_ns += 4 * CREDIT_NS;
        roster.held_up(1, CREDIT_NS, now_ns);
        assert_eq!(roster.admit(|| panic!("it had earned that")), 0b11);
        roster.held_up(1, 4 * MS, now_ns);
        assert_eq!(roster.admit(|| now_ns + 4 * MS), 0b11);
    }

    /// Three milliseconds in a row of every twenty: two workers do 1.7 times the work of one all
    /// the same.
    #[test]
    fn a_daemon_that_passes_by_costs_nothing() {
        let mut roster = Roster::new(2);
        for delay in 1..1000 {
            for part in 0..3 {
                roster.held_up(1, MS, (delay * 20 + part) * MS);
                assert_eq!(roster.admit(|| panic!("nobody rests")), 0b11);
            }
        }
    }

    /// A neighbour that takes 4 ms of every 8 that the helper works costs a thirtieth, not half.
    #[test]
    fn a_neighbour_that_stays_costs_little() {
        let mut roster = Roster::new(2);
        let (mut now_ns, mut lost_ns) = (0, 0);
        while now_ns < 10_000 * MS {
            if roster.admit(|| now_ns) == 0b11 {
                now_ns += 4 * MS + 4 * MS;
                lost_ns += 4 * MS;
                roster.held_up(1, 4 * MS, now_ns);
            } else {
                now_ns += MS / 10;
            }
        }
        assert!(lost_ns < now_ns / 25, "{lost_ns} of {now_ns}");
    }

    #[test]
    fn times_at_the_end_of_time_do_not_overflow() {
        let mut roster = Roster::new(32);
        for _ in 0..10 {
            roster.held_up(31, u64::MAX, u64::MAX - 1);
        }
        assert_eq!(roster.admit(|| u64::MAX - 1) >> 31, 0);
        roster.held_up(32, 1, 1);
    }
}
