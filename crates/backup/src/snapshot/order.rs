//! The order of snapshots: by what is recorded in them, and by their times only where nothing is.
//!
//! A clock that was ahead once gives a snapshot a time that no later one reaches. But each
//! snapshot of this program counts the ones before it of the same machine and label, and names the
//! one that it was compared with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::Snapshot;

/// Puts snapshots in order, oldest first. Where neither count nor descent tells, times do.
pub fn in_order(snapshots: Vec<Snapshot>) -> Vec<Snapshot> {
    let ids: HashMap<&str, usize> = snapshots
        .iter()
        .enumerate()
        .map(|(at, snapshot)| (snapshot.id.as_str(), at))
        .collect();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); snapshots.len()];
    let mut before = vec![0_usize; snapshots.len()];
    let mut put = |first: usize, second: usize| {
        if let (Some(after), Some(before)) = (after.get_mut(first), before.get_mut(second)) {
            after.push(second);
            *before += 1;
        }
    };
    let mut counted: BTreeMap<(&str, &str), Vec<(u64, usize)>> = BTreeMap::new();
    for (at, snapshot) in snapshots.iter().enumerate() {
        let parent = snapshot.parent.as_deref().and_then(|id| ids.get(id));
        if let Some(parent) = parent.filter(|parent| **parent != at) {
            put(*parent, at);
        }
        if let Some(count) = snapshot.sequence {
            let group = (snapshot.host.as_str(), snapshot.label.as_str());
            counted.entry(group).or_default().push((count, at));
        }
    }
    for group in counted.values_mut() {
        group.sort_unstable();
        for pair in group.windows(2) {
            if let [(first, a), (second, b)] = pair
                && first < second
            {
                put(*a, *b);
            }
        }
    }

    let key = |at: usize| {
        let time = snapshots.get(at).map(|snapshot| snapshot.time.timestamp());
        let id = snapshots.get(at).map(|snapshot| snapshot.id.clone());
        Reverse((time, id, at))
    };
    let mut ready: BinaryHeap<_> = before
        .iter()
        .enumerate()
        .filter(|(_, before)| **before == 0)
        .map(|(at, _)| key(at))
        .collect();
    let mut order = Vec::with_capacity(snapshots.len());
    while let Some(Reverse((.., at))) = ready.pop() {
        order.push(at);
        for next in after.get(at).into_iter().flatten() {
            if let Some(left) = before.get_mut(*next) {
                *left -= 1;
                if *left == 0 {
                    ready.push(key(*next));
                }
            }
        }
    }
    // Records that contradict each other, which this program writes none of, leave the times.
    let mut rest: Vec<usize> = (0..snapshots.len())
        .filter(|at| before.get(*at).is_some_and(|before| *before > 0))
        .collect();
    rest.sort_by_key(|at| key(*at).0);
    order.extend(rest);

    let mut snapshots: Vec<Option<Snapshot>> = snapshots.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|at| snapshots.get_mut(at)?.take())
        .collect()
}

impl Snapshot {
    /// How old it is; `None` if its time is in the future: then the clock was wrong once, then or
    /// now, and its age is unknown.
    pub fn age(&self, now: Timestamp) -> Option<SignedDuration> {
        let age = now.duration_since(self.time.timestamp());
        (!age.is_negative()).then_some(age)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn snapshot(id: &str, second: i64) -> Snapshot {
        Snapshot {
            id: id.into(),
            time: Timestamp::from_second(second)
                .unwrap()
                .to_zoned(TimeZone::UTC),
            host: "box".into(),
            label: String::new(),
            tags: Vec::new(),
            paths: Vec::new(),
            complete: true,
            files: None,
            bytes: None,
            description: None,
            parent: None,
            sequence: None,
            lacks: Vec::new(),
        }
    }

    fn order(snapshots: &[Snapshot]) -> Vec<String> {
        let snapshots = in_order(snapshots.to_vec());
        snapshots.into_iter().map(|snapshot| snapshot.id).collect()
    }

    #[test]
    fn without_records_times_decide() {
        assert_eq!(order(&[snapshot("b", 2), snapshot("a", 1)]), ["a", "b"]);
    }

    #[test]
    fn what_was_made_after_a_snapshot_of_the_future_is_newer() {
        let ahead = Snapshot {
            sequence: Some(2),
            ..snapshot("ahead", 9_000)
        };
        let next = Snapshot {
            sequence: Some(3),
            ..snapshot("next", 20)
        };
        let first = Snapshot {
            sequence: Some(1),
            ..snapshot("first", 10)
        };
        let expected = ["first", "ahead", "next"];
        assert_eq!(
            order(&[next.clone(), ahead.clone(), first.clone()]),
            expected
        );
        // The one in between was removed: the count still tells.
        assert_eq!(order(&[next, first]), ["first", "next"]);
    }

    #[test]
    fn descent_tells_where_nothing_was_counted() {
        let child = Snapshot {
            parent: Some("ahead".into()),
            ..snapshot("child", 5)
        };
        assert_eq!(order(&[child, snapshot("ahead", 50)]), ["ahead", "child"]);
    }

    #[test]
    fn records_that_contradict_each_other_lose_no_snapshot() {
        let one = Snapshot {
            parent: Some("two".into()),
            ..snapshot("one", 1)
        };
        let two = Snapshot {
            parent: Some("one".into()),
            ..snapshot("two", 2)
        };
        assert_eq!(order(&[two, one]), ["one", "two"]);
    }

    #[test]
    fn a_snapshot_of_the_future_is_of_unknown_age() {
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(snapshot("a", 101).age(now), None);
        let age = snapshot("a", 40).age(now);
        assert_eq!(age, Some(SignedDuration::from_secs(60)));
    }
}
