//! Which unit is next: a graph of units, each of which waits for the finer ones that it is made from.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::protocol::Finer;
use crate::plan::{Group, Unit};
use crate::tile::TileCoord;

/// The number of a unit in a schedule: finest step first, in Hilbert order within a step.
pub(super) type Node = u32;

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Some of the units that it is made from are missing.
    Waiting,
    Ready,
    Running,
    Made,
    SetAside,
    /// A unit that it is made from was set aside.
    Blocked,
}

#[derive(Debug)]
struct Entry {
    unit: Unit,
    step: u32,
    /// The unit of the next step that is made from this one.
    parent: Option<Node>,
    waiting: u32,
    state: State,
}

/// A step: what its units are made from, and how far it is.
#[derive(Debug)]
struct StepState {
    group: usize,
    finer: Finer,
    tiles_left: u64,
    /// What units of this step took so far.
    tiles_made: u64,
    seconds: f64,
}

/// The units of a run.
///
/// Coarser units go first where they are ready: what they are made from was just written. So the run goes through the
/// pyramid block by block, and no step ends with idle workers.
#[derive(Debug)]
pub(super) struct Schedule {
    entries: Vec<Entry>,
    steps: Vec<StepState>,
    ready: BinaryHeap<(u32, Reverse<Node>)>,
    running: usize,
    /// Units of each group that are not settled.
    open: Vec<usize>,
    /// The zooms of each group.
    names: Vec<String>,
    pub(super) blocked: u64,
    pub(super) found: u64,
}

impl Schedule {
    /// The units of all groups. `first` is what the finest step is made from; `done` is asked for every unit, coarsest
    /// first, and says whether it need not be made: with the number of its group, and whether a unit that is made from it
    /// is missing.
    pub(super) fn new(groups: &[Group], first: &Finer, mut done: impl FnMut(usize, &Unit, bool) -> bool) -> Self {
        let (mut entries, mut steps, mut starts): (Vec<Entry>, Vec<StepState>, Vec<usize>) = Default::default();
        let mut finer = first.clone();
        for (group, step) in groups.iter().enumerate().flat_map(|(n, g)| g.steps.iter().map(move |s| (n, s))) {
            let number = steps.len() as u32;
            starts.push(entries.len());
            let fresh = |&unit| Entry { unit, step: number, parent: None, waiting: 0, state: State::Waiting };
            entries.extend(step.units.iter().map(fresh));
            let next = Finer::packs(step.zooms, step.block_zoom);
            let state = StepState { group, finer, tiles_left: 0, tiles_made: 0, seconds: 0.0 };
            steps.push(state);
            finer = next;
        }
        starts.push(entries.len());
        for step in 0..steps.len().saturating_sub(1) {
            let (this, next) = (starts[step]..starts[step + 1], starts[step + 1]..starts[step + 2]);
            let Some(zoom) = entries.get(next.start).map(|e| e.unit.block.z()) else { continue };
            // Both are in Hilbert order, so that parents come in order as well.
            let mut at = next.start;
            for node in this {
                let Some(block) = entries[node].unit.block.ancestor(zoom) else { continue };
                while at < next.end && key(entries[at].unit.block) < key(block) {
                    at += 1;
                }
                if at < next.end && entries[at].unit.block == block {
                    entries[node].parent = Some(at as Node);
                }
            }
        }
        let mut schedule = Self {
            open: vec![0; groups.len()],
            names: groups.iter().map(|g| format!("z{}", g.zooms)).collect(),
            entries,
            steps,
            ready: BinaryHeap::new(),
            running: 0,
            blocked: 0,
            found: 0,
        };
        for node in (0..schedule.entries.len()).rev() {
            let entry = &schedule.entries[node];
            let parent = entry.parent;
            let parent_missing = parent.is_some_and(|p| schedule.entries[p as usize].state != State::Made);
            let group = schedule.steps[entry.step as usize].group;
            if done(group, &entry.unit, parent_missing) {
                schedule.entries[node].state = State::Made;
                schedule.found += 1;
                continue;
            }
            schedule.open[group] += 1;
            schedule.steps[entry.step as usize].tiles_left += entry.unit.tiles;
            if let Some(parent) = parent {
                schedule.entries[parent as usize].waiting += 1;
            }
        }
        for node in 0..schedule.entries.len() {
            if schedule.entries[node].state == State::Waiting && schedule.entries[node].waiting == 0 {
                schedule.make_ready(node as Node);
            }
        }
        schedule
    }

    fn make_ready(&mut self, node: Node) {
        let entry = &mut self.entries[node as usize];
        entry.state = State::Ready;
        self.ready.push((entry.step, Reverse(node)));
    }

    /// Takes the next unit that can be made; it runs until it is [`made`](Self::made), [`set_aside`](Self::set_aside) or
    /// given [`back`](Self::back).
    pub(super) fn next(&mut self) -> Option<(Node, Unit, Finer)> {
        let (step, Reverse(node)) = self.ready.pop()?;
        self.entries[node as usize].state = State::Running;
        self.running += 1;
        Some((node, self.entries[node as usize].unit, self.steps[step as usize].finer.clone()))
    }

    /// A unit is to be tried again.
    pub(super) fn back(&mut self, node: Node) {
        self.running -= 1;
        self.make_ready(node);
    }

    /// A unit is made. Gives its group where that was the last one of it.
    pub(super) fn made(&mut self, node: Node, took: Duration) -> Option<usize> {
        self.running -= 1;
        let entry = &mut self.entries[node as usize];
        entry.state = State::Made;
        let (tiles, parent) = (entry.unit.tiles, entry.parent);
        let step = &mut self.steps[entry.step as usize];
        step.tiles_left = step.tiles_left.saturating_sub(tiles);
        step.tiles_made += tiles;
        step.seconds += took.as_secs_f64();
        let group = step.group;
        self.open[group] -= 1;
        if let Some(parent) = parent {
            let above = &mut self.entries[parent as usize];
            above.waiting -= 1;
            if above.waiting == 0 && above.state == State::Waiting {
                self.make_ready(parent);
            }
        }
        (self.open[group] == 0).then_some(group)
    }

    /// A unit is given up, and with it all that is made from it.
    pub(super) fn set_aside(&mut self, node: Node) {
        self.running -= 1;
        self.settle(node, State::SetAside);
        let mut above = self.entries[node as usize].parent;
        while let Some(parent) = above {
            if self.entries[parent as usize].state != State::Waiting {
                break;
            }
            self.settle(parent, State::Blocked);
            self.blocked += 1;
            above = self.entries[parent as usize].parent;
        }
    }

    fn settle(&mut self, node: Node, state: State) {
        let entry = &mut self.entries[node as usize];
        entry.state = state;
        let step = &mut self.steps[entry.step as usize];
        step.tiles_left = step.tiles_left.saturating_sub(entry.unit.tiles);
    }

    /// Gives up everything that is not running.
    pub(super) fn drop_waiting(&mut self) {
        self.ready.clear();
    }

    /// True where nothing is running and nothing can be started.
    pub(super) fn is_over(&self) -> bool {
        self.running == 0 && self.ready.is_empty()
    }

    /// Tiles of all units that are to be made, at most.
    pub(super) fn tiles_left(&self) -> u64 {
        self.steps.iter().map(|s| s.tiles_left).sum()
    }

    /// The groups that are begun and not finished: zooms, tiles made now, and tiles that were to be made now.
    pub(super) fn groups(&self) -> Vec<(String, u64, u64)> {
        let mut groups: Vec<(String, u64, u64)> = self.names.iter().map(|name| (name.clone(), 0, 0)).collect();
        for step in &self.steps {
            let (_, made, all) = &mut groups[step.group];
            *made += step.tiles_made;
            *all += step.tiles_made + step.tiles_left;
        }
        groups.retain(|(_, made, all)| *made > 0 && made < all);
        groups
    }

    /// Worker seconds that are left, from what units of the same step took, and of any step where that is not known.
    /// `None` before the first unit is made.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let (tiles, seconds) = self.steps.iter().fold((0, 0.0), |(n, s), step| (n + step.tiles_made, s + step.seconds));
        if tiles == 0 {
            return None;
        }
        let mean = |seconds: f64, tiles: u64| seconds / tiles as f64;
        let left = |s: &StepState| {
            let a_tile = if s.tiles_made > 0 { mean(s.seconds, s.tiles_made) } else { mean(seconds, tiles) };
            s.tiles_left as f64 * a_tile
        };
        Some(self.steps.iter().map(left).sum())
    }
}

fn key(block: TileCoord) -> u64 {
    crate::tile::TileId::from(block).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Step, ZoomRange};

    fn tile(z: u8, x: u32, y: u32) -> TileCoord {
        TileCoord::new(z, x, y).unwrap()
    }

    /// Two groups of one step each: four units at zoom 2, one above them.
    fn groups() -> Vec<Group> {
        let unit = |block, min, max| Unit { block, zooms: ZoomRange { min, max }, tiles: 10 };
        let step = |units: Vec<Unit>| Step { zooms: units[0].zooms, block_zoom: units[0].block.z(), units };
        let mut blocks = [tile(2, 0, 0), tile(2, 1, 0), tile(2, 3, 3), tile(2, 2, 3)];
        blocks.sort_unstable_by_key(|&b| key(b));
        let fine = step(blocks.iter().map(|&b| unit(b, 2, 5)).collect());
        let coarse = step(vec![unit(tile(1, 0, 0), 1, 1), unit(tile(1, 1, 1), 1, 1)]);
        let group = |s: Step| Group { zooms: s.zooms, kept: true, steps: vec![s] };
        vec![group(fine), group(coarse)]
    }

    #[test]
    fn a_unit_is_ready_when_what_it_is_made_from_is_there() {
        let mut schedule = Schedule::new(&groups(), &Finer::Nothing, |_, _, _| false);
        let mut order = Vec::new();
        let mut begun = Vec::new();
        while let Some((node, unit, finer)) = schedule.next() {
            assert_eq!(finer == Finer::Nothing, unit.zooms.max == 5);
            order.push(unit.block.z());
            schedule.made(node, Duration::from_secs(1));
            if order.len() == 1 {
                begun = schedule.groups();
            }
        }
        assert_eq!(begun, [("z2-5".to_string(), 10, 40)]);
        assert_eq!(order, [2, 2, 1, 2, 2, 1], "a coarser unit goes first where it can");
        assert!(schedule.is_over() && schedule.tiles_left() == 0);
        assert_eq!(schedule.seconds_left(), Some(0.0));
    }

    #[test]
    fn what_depends_on_a_failure_is_blocked_and_the_rest_is_made() {
        let mut schedule = Schedule::new(&groups(), &Finer::Nothing, |_, _, _| false);
        let (first, _, _) = schedule.next().unwrap();
        schedule.set_aside(first);
        let mut made = Vec::new();
        let mut finished = Vec::new();
        while let Some((node, unit, _)) = schedule.next() {
            made.push(unit.block.z());
            finished.extend(schedule.made(node, Duration::from_secs(1)));
        }
        assert_eq!(made, [2, 2, 2, 1]);
        assert_eq!((schedule.blocked, schedule.is_over()), (1, true));
        assert!(finished.is_empty(), "no group is complete");
    }

    #[test]
    fn what_is_there_is_not_made_and_unkept_units_only_for_missing_parents() {
        let mut asked = Vec::new();
        let schedule = Schedule::new(&groups(), &Finer::Nothing, |group, unit, parent_missing| {
            asked.push((group, parent_missing));
            group == 1 && unit.block == tile(1, 0, 0)
        });
        assert_eq!(schedule.found, 1);
        // Coarse ones are asked first; two of the fine ones have a parent that is there.
        assert_eq!(asked[..2], [(1, false), (1, false)]);
        assert_eq!(asked[2..].iter().filter(|a| a.1).count(), 2);
        assert_eq!(schedule.tiles_left(), 50);
    }
}
