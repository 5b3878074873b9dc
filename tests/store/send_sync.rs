//! A store is shared between threads without locks, and they all get the same answers.

use crate::common::{self, Random};
use hypso::container::{Boxes, Container};
use hypso::query::Order;
use hypso::store::{RecordRef, Records, Store};
use hypso::tile::{Bounds, TileCoord};

const fn shareable<T: Send + Sync + Clone>() {}
const _: () = {
    shareable::<Store>();
    shareable::<Records<'static>>();
    shareable::<RecordRef<'static>>();
    shareable::<Boxes<'static>>();
    shareable::<std::sync::Arc<Container>>();
};

#[test]
fn threads_get_the_answers_that_one_thread_gets() {
    let store = common::store(2000, 31);
    let answers = |store: &Store, seed: u64| -> Vec<(Vec<u32>, Option<u32>, usize, usize)> {
        let mut random = Random(seed);
        let mut rows = Vec::new();
        (0..200)
            .map(|_| {
                let some = store.record((random.next() % 2000) as u32).unwrap();
                let b = some.bounds();
                store.rows_overlapping(
                    Bounds::new(b.min_x - 9e3, b.min_y, b.max_x, b.max_y + 9e3),
                    Order::Candidate,
                    &mut rows,
                );
                let tile = TileCoord::at(b.min_x, b.max_y, 10);
                let path = some.path().unwrap().len();
                (
                    rows.clone(),
                    store.by_id(some.id()).map(|r| r.row()),
                    store.tiles().sampled_for(tile).map_or(0, <[u32]>::len),
                    path,
                )
            })
            .collect()
    };
    let expected: Vec<_> = (0..8).map(|seed| answers(&store, seed)).collect();
    // Clones in threads of their own outlive the store that they were cloned from.
    let threads: Vec<_> = (0..8)
        .map(|seed| {
            let clone = store.clone();
            std::thread::spawn(move || answers(&clone, seed))
        })
        .collect();
    drop(store);
    for (thread, expected) in threads.into_iter().zip(expected) {
        assert_eq!(thread.join().unwrap(), expected);
    }
}
