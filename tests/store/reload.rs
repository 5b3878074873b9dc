//! A store that is replaced under readers: they never see an error, nor two versions in one answer.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::common::catalogue;
use hypso::Error;
use hypso::container::{Advice, Container, Handle, ReloadEvent, Schema, Watcher, write_container};
use hypso::store::{Store, write_file};

const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_secs(20);

/// Version `v` has `500 + v` records, and every one of them says that it is of version `v`.
fn publish(path: &Path, version: u64) {
    let (sources, mut records) = catalogue(500 + version as usize, 40);
    records.iter_mut().for_each(|r| (r.file_size, r.width) = (version, 7 + version as u32));
    write_file(path, &sources, &records, &Default::default()).unwrap();
}

fn version(store: &Store) -> u64 {
    u64::from(store.len()) - 500
}

const fn shareable<T: Send + Sync + Clone>() {}
const _: () = shareable::<Handle<Store>>();
const fn movable<T: Send>() {}
const _: () = movable::<Watcher>();

#[test]
fn reload_says_whether_the_content_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    publish(&path, 1);
    let handle = Handle::<Store>::open(&path).unwrap();
    let (kept, guard) = (handle.current(), handle.load());
    assert!(!handle.reload().unwrap(), "the same file");
    publish(&path, 1);
    assert!(!handle.reload().unwrap(), "another file with the same content");
    publish(&path, 2);
    let clone = handle.clone();
    assert!(handle.reload().unwrap());
    assert!(!clone.reload().unwrap(), "clones share the version");
    assert_eq!((version(&clone.load()), version(&kept), version(&guard)), (2, 1, 1));
    assert_eq!(kept.records().iter().map(|r| r.file_size()).max(), Some(1));
    assert_eq!((handle.last_error(), handle.path()), (None, path.as_path()));
}

#[test]
fn what_can_not_be_opened_leaves_the_old_version() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a.hypso"), folder.path().join("b"));
    assert!(Handle::<Store>::open(&path).is_err());
    publish(&path, 1);
    let handle = Handle::<Store>::open(&path).unwrap();
    std::fs::write(&other, b"no store at all").unwrap();
    std::fs::rename(&other, &path).unwrap();
    for _ in 0..2 {
        assert!(matches!(handle.reload().unwrap_err(), Error::OtherKind { .. }));
    }
    assert!(handle.last_error().unwrap().contains("not a hypso store"));
    std::fs::remove_file(&path).unwrap();
    assert!(handle.reload().unwrap_err().to_string().contains("check the path"));
    assert_eq!(version(&handle.load()), 1);
    publish(&path, 3);
    assert!(handle.reload().unwrap());
    assert_eq!((version(&handle.load()), handle.last_error()), (3, None));
}

#[test]
fn versions_are_prepared_before_they_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    publish(&path, 1);
    let handle = Handle::<Store>::open_with(&path, |store| {
        store.advise(Advice::Preload)?;
        match store.container().verify_checksums().first() {
            Some(p) => Err(Error::invalid(&p.section, &p.problem, "keep the old version")),
            None => Ok(()),
        }
    })
    .unwrap();
    publish(&path, 2);
    let mut damaged = std::fs::read(&path).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join("b"), damaged).unwrap();
    std::fs::rename(folder.path().join("b"), &path).unwrap();
    assert!(handle.reload().unwrap_err().to_string().contains("altered"));
    assert_eq!(version(&handle.load()), 1);
    publish(&path, 2);
    assert!(handle.reload().unwrap());
}

#[test]
fn a_watcher_reports_versions_and_each_error_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a.hypso"), folder.path().join("b"));
    publish(&path, 1);
    let handle = Handle::<Store>::open(&path).unwrap();
    let (send, events) = channel();
    let watcher = handle.watch(SOON, move |event| send.send(event).unwrap()).unwrap();
    let next = || events.recv_timeout(LATE).unwrap();
    publish(&path, 2);
    assert!(matches!(next(), ReloadEvent::Reloaded(store) if version(&store) == 2));
    std::fs::write(&other, vec![0; 5000]).unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert!(matches!(next(), ReloadEvent::Failed(Error::OtherKind { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(next(), ReloadEvent::Failed(Error::Io { .. })));
    std::thread::sleep(20 * SOON);
    assert_eq!((version(&handle.load()), handle.last_error().is_some()), (2, true));
    publish(&path, 3);
    assert!(matches!(next(), ReloadEvent::Reloaded(store) if version(&store) == 3));
    drop(watcher);
    publish(&path, 4);
    std::thread::sleep(10 * SOON);
    assert_eq!(events.try_iter().count(), 0, "each error was reported once, and nothing after the end");
    assert_eq!(version(&handle.load()), 3);
    let slow = handle.watch(Duration::from_secs(3600), |_| ()).unwrap();
    let begin = Instant::now();
    drop(slow);
    assert!(begin.elapsed() < LATE, "a watcher does not sleep through its end");
}

#[test]
fn readers_under_load_never_fail_and_never_mix_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    publish(&path, 0);
    let handle = Handle::<Store>::open(&path).unwrap();
    let (reloads, answers, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let (send, events) = channel();
    let watcher = handle.watch(SOON, move |event| send.send(event).unwrap()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = 0;
                while !over.load(Ordering::Relaxed) {
                    let store = handle.load();
                    let now = version(&store);
                    assert!(now >= last, "a reader went back in time");
                    last = now;
                    let bounds = store.record((answers.load(Ordering::Relaxed) % 500) as u32).unwrap().bounds();
                    let mut found = 0;
                    for record in store.overlapping(bounds) {
                        assert_eq!((record.file_size(), record.width()), (now, 7 + now as u32));
                        assert!(!record.path().unwrap().is_empty());
                        found += 1;
                    }
                    assert!(found > 0);
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for v in 1..=15 {
            publish(&path, v);
            match events.recv_timeout(LATE) {
                Ok(ReloadEvent::Reloaded(store)) => assert_eq!(version(&store), v),
                other => panic!("{other:?}"),
            }
            reloads.fetch_add(1, Ordering::Relaxed);
        }
        over.store(true, Ordering::Relaxed);
    });
    drop(watcher);
    assert_eq!((reloads.into_inner(), version(&handle.load())), (15, 15));
    assert!(answers.into_inner() > 100);
}

struct Numbers(Container);

impl Schema for Numbers {
    fn from_container(container: Container) -> hypso::Result<Self> {
        container.expect_schema("numbers")?;
        container.column::<u32>("number")?;
        Ok(Self(container))
    }

    fn container(&self) -> &Container {
        &self.0
    }
}

#[test]
fn a_handle_follows_a_file_of_any_schema_and_refuses_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    let write = |schema: &str, number: u32| write_container(&path, schema, |out| out.column("number", &[number]));
    write("numbers", 1).unwrap();
    let (numbers, any) = (Handle::<Numbers>::open(&path).unwrap(), Handle::<Container>::open(&path).unwrap());
    write("numbers", 2).unwrap();
    let kept = numbers.current();
    assert!(numbers.reload().unwrap() && any.reload().unwrap());
    let number = |file: &Container| file.column::<u32>("number").unwrap()[0];
    assert_eq!((number(&kept.0), number(&numbers.load().0), number(&any.load())), (1, 2, 2));
    write("letters", 3).unwrap();
    let message = numbers.reload().unwrap_err().to_string();
    assert!(message.contains("numbers: holds \"letters\", \"numbers\" was expected"), "{message}");
    assert!(any.reload().unwrap());
    assert_eq!((number(&numbers.load().0), number(&any.load())), (2, 3));
}
