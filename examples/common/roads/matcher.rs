//! From noisy positions to the roads that were driven: the hidden Markov model of Newson and Krumm, "Hidden Markov map
//! matching through noise and sparseness" (2009).
//!
//! States are the edges near a position. A position speaks for an edge by its distance (a normal distribution); two edges
//! follow one another the more likely, the less the way between them differs from the straight line between the positions
//! (an exponential distribution). Viterbi's algorithm finds the likeliest sequence.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use hypso::Result;

use super::Network;

/// What a position was matched to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The row of the edge.
    pub edge: u32,
    /// Metres from where the edge begins.
    pub along: f64,
    /// Metres between the position and the edge.
    pub distance: f64,
}

/// A matched trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    /// One for each position; `None` where no road is near.
    pub points: Vec<Option<Candidate>>,
    /// The edges that were driven, one after another.
    pub edges: Vec<u32>,
    /// How often no way leads from one position to the next, so that the match begins anew.
    pub breaks: usize,
}

/// Matches traces; keeps its buffers from one to the next.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Standard deviation of positions, metres.
    pub noise: f64,
    /// How much longer than the straight line a way may well be, metres.
    pub detour: f64,
    /// How far roads are looked for, metres.
    pub radius: f64,
    /// What turning back costs, metres.
    pub u_turn: f64,
    ways: Ways,
}

impl Default for Matcher {
    fn default() -> Self {
        Self { noise: 6.0, detour: 8.0, radius: 35.0, u_turn: 60.0, ways: Ways::default() }
    }
}

/// A candidate with the best way to it: the logarithm of its likelihood, and the candidate before it.
#[derive(Debug, Clone, Copy)]
struct State {
    candidate: Candidate,
    score: f64,
    before: Option<usize>,
}

impl Matcher {
    /// Matches a trace.
    pub fn run(&mut self, network: &Network<'_>, points: &[(f64, f64)]) -> Result<Match> {
        // The states of each position that has any.
        let mut steps: Vec<(usize, Vec<State>)> = Vec::new();
        let mut out = Match { points: vec![None; points.len()], ..Match::default() };
        for (place, &(x, y)) in points.iter().enumerate() {
            let mut states = self.candidates(network, x, y)?;
            if states.is_empty() {
                continue;
            }
            if let Some((earlier, before)) = steps.last() {
                let straight = (x - points[*earlier].0).hypot(y - points[*earlier].1);
                let connected = self.connect(network, before, &mut states, straight)?;
                if !connected {
                    self.trace_back(network, &steps, &mut out)?;
                    steps.clear();
                    out.breaks += 1;
                }
            }
            steps.push((place, states));
        }
        self.trace_back(network, &steps, &mut out)?;
        Ok(out)
    }

    fn candidates(&self, network: &Network<'_>, x: f64, y: f64) -> Result<Vec<State>> {
        let mut roads = Vec::new();
        network.around(x, y, self.radius, |road| roads.push(road));
        let mut states = Vec::new();
        for road in roads {
            let (along, distance) = network.project(road, x, y)?;
            if distance > self.radius {
                continue;
            }
            for edge in network.edges_of(road) {
                let along = if network.is_backwards(edge) { f64::from(network.length(edge)) - along } else { along };
                let score = -0.5 * (distance / self.noise).powi(2);
                states.push(State { candidate: Candidate { edge, along, distance }, score, before: None });
            }
        }
        Ok(states)
    }

    /// Finds the best state before each; keeps those that have one. False where none has.
    fn connect(
        &mut self,
        network: &Network<'_>,
        before: &[State],
        states: &mut Vec<State>,
        straight: f64,
    ) -> Result<bool> {
        let reach = straight * 2.0 + 12.0 * self.detour + self.u_turn;
        let mut best: Vec<Option<(f64, usize)>> = vec![None; states.len()];
        for (number, from) in before.iter().enumerate() {
            self.ways.search(network, from.candidate, reach, self.u_turn)?;
            for (state, best) in states.iter().zip(&mut best) {
                let Some(way) = self.ways.to(network, from.candidate, state.candidate, 2.0 * self.noise) else {
                    continue;
                };
                let score = from.score - (way - straight).abs() / self.detour;
                if best.is_none_or(|(other, _)| score > other) {
                    *best = Some((score, number));
                }
            }
        }
        if best.iter().all(Option::is_none) {
            return Ok(false);
        }
        for (state, best) in states.iter_mut().zip(&best) {
            if let &Some((score, number)) = best {
                (state.score, state.before) = (state.score + score, Some(number));
            }
        }
        states.retain(|state| state.before.is_some());
        Ok(true)
    }

    /// Puts the likeliest sequence of states into the answer.
    fn trace_back(&mut self, network: &Network<'_>, steps: &[(usize, Vec<State>)], out: &mut Match) -> Result<()> {
        let Some((_, last)) = steps.last() else { return Ok(()) };
        let best = (0..last.len()).max_by(|&a, &b| last[a].score.total_cmp(&last[b].score));
        let (mut at, mut chosen) = (best, Vec::new());
        for (place, states) in steps.iter().rev() {
            let Some(state) = at.and_then(|at| states.get(at)) else { break };
            out.points[*place] = Some(state.candidate);
            chosen.push(state.candidate);
            at = state.before;
        }
        chosen.reverse();
        for (i, candidate) in chosen.iter().enumerate() {
            if i > 0 && candidate.edge != chosen[i - 1].edge {
                self.ways.search(network, chosen[i - 1], f64::INFINITY, self.u_turn)?;
                out.edges.extend(self.ways.between(chosen[i - 1].edge, candidate.edge));
            }
            if out.edges.last() != Some(&candidate.edge) {
                out.edges.push(candidate.edge);
            }
        }
        Ok(())
    }
}

/// Shortest ways from one candidate to the beginnings of the edges around it (Dijkstra 1959), by edges.
#[derive(Debug, Clone, Default)]
struct Ways {
    /// Metres from the candidate to where an edge begins, and the edge before it.
    found: HashMap<u32, (f64, u32)>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Ways {
    /// Looks as far as `reach` metres, and no further than some thousand edges.
    fn search(&mut self, network: &Network<'_>, from: Candidate, reach: f64, u_turn: f64) -> Result<()> {
        self.found.clear();
        self.heap.clear();
        let rest = (f64::from(network.length(from.edge)) - from.along).max(0.0);
        self.spread(network, from.edge, rest, reach, u_turn)?;
        let mut edges = 0;
        while let Some(Reverse((millimetres, edge))) = self.heap.pop() {
            let metres = self.found.get(&edge).map_or(f64::INFINITY, |&(metres, _)| metres);
            edges += 1;
            if millimetres > to_key(metres) || edges > 4000 {
                continue;
            }
            self.spread(network, edge, metres + f64::from(network.length(edge)), reach, u_turn)?;
        }
        Ok(())
    }

    /// Enters the edges after one that ends `metres` away.
    fn spread(&mut self, network: &Network<'_>, edge: u32, metres: f64, reach: f64, u_turn: f64) -> Result<()> {
        if metres > reach {
            return Ok(());
        }
        for (&next, turn) in network.next(edge)?.iter().zip(network.next_turns(edge)?) {
            let metres = if turn.abs() > 175.0 { metres + u_turn } else { metres };
            let known = self.found.get(&next).map_or(f64::INFINITY, |&(metres, _)| metres);
            if metres < known {
                self.found.insert(next, (metres, edge));
                self.heap.push(Reverse((to_key(metres), next)));
            }
        }
        Ok(())
    }

    /// Metres from one candidate to another; `slack` is how far noise may seem to drive backwards.
    fn to(&self, _: &Network<'_>, from: Candidate, to: Candidate, slack: f64) -> Option<f64> {
        if from.edge == to.edge && to.along + slack >= from.along {
            return Some((to.along - from.along).abs());
        }
        self.found.get(&to.edge).map(|&(metres, _)| metres + to.along)
    }

    /// The edges between two, in driving order.
    fn between(&self, from: u32, to: u32) -> Vec<u32> {
        let mut edges = Vec::new();
        let mut at = to;
        while let Some(&(_, before)) = self.found.get(&at).filter(|(_, before)| *before != from) {
            if edges.len() > self.found.len() {
                return Vec::new();
            }
            edges.push(before);
            at = before;
        }
        edges.reverse();
        edges
    }
}

/// Positive distances in an order of integers.
fn to_key(metres: f64) -> u64 {
    (metres * 1000.0) as u64
}
