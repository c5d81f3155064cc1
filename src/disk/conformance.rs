//! What every disk must do alike when nothing fails: one test, run over all three implementations.

use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use super::{AlignedBuf, Disk, File, Lock, Open};

/// A buffer with `bytes`.
fn buf(bytes: &[u8]) -> AlignedBuf {
    let mut buf = AlignedBuf::with_capacity(bytes.len());
    buf.extend_from_slice(bytes);
    buf
}

async fn read(file: &Rc<dyn File>, offset: u64, len: usize) -> Vec<u8> {
    file.read_at(offset, len).await.unwrap().to_vec()
}

async fn refusal(disk: &dyn Disk, path: &Path, how: Open) -> ErrorKind {
    match disk.open(path, how).await {
        Ok(_) => panic!("{} opened as {how:?}", path.display()),
        Err(e) => e.kind(),
    }
}

/// Runs the whole test in `dir`, an existing empty directory. Answers whether direct I/O was there to be tested.
pub(super) async fn conforms(disk: &dyn Disk, dir: &Path) -> bool {
    names(disk, dir).await;
    content(disk, dir).await;
    locks(disk, dir).await;
    direct(disk, dir).await
}

async fn names(disk: &dyn Disk, dir: &Path) {
    let sub = dir.join("names");
    disk.create_dir(&sub).await.unwrap();
    disk.create_dir(&sub).await.unwrap();
    disk.create_dir(&sub.join("inner")).await.unwrap();
    let (a, b) = (sub.join("a"), sub.join("b"));
    assert_eq!(refusal(disk, &a, Open::Read).await, ErrorKind::NotFound);
    assert_eq!(refusal(disk, &a, Open::Buffered).await, ErrorKind::NotFound);
    assert_eq!(refusal(disk, &a, Open::Direct).await, ErrorKind::NotFound);
    assert_eq!(refusal(disk, &dir.join("nowhere/a"), Open::CreateNew).await, ErrorKind::NotFound);
    assert_eq!(disk.metadata(&a).await.unwrap_err().kind(), ErrorKind::NotFound);

    let file = disk.open(&a, Open::CreateNew).await.unwrap();
    assert_eq!(refusal(disk, &a, Open::CreateNew).await, ErrorKind::AlreadyExists);
    file.write_at(0, buf(b"first")).await.unwrap();
    disk.open(&b, Open::CreateNew).await.unwrap().write_at(0, buf(b"second")).await.unwrap();
    assert_eq!(disk.list(&sub).await.unwrap(), ["a", "b"]);

    disk.rename(&b, &a).await.unwrap();
    disk.sync_dir(&sub).await.unwrap();
    assert_eq!(disk.list(&sub).await.unwrap(), ["a"]);
    assert_eq!(read(&disk.open(&a, Open::Read).await.unwrap(), 0, 100).await, b"second");
    assert_eq!(read(&file, 0, 100).await, b"first", "a replaced file lives on behind its handle");
    assert_eq!(disk.rename(&b, &a).await.unwrap_err().kind(), ErrorKind::NotFound);

    disk.remove(&a).await.unwrap();
    assert_eq!(disk.remove(&a).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.list(&sub).await.unwrap(), Vec::<String>::new());
    assert_eq!(disk.list(&dir.join("nowhere")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.sync_dir(&dir.join("nowhere")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn content(disk: &dyn Disk, dir: &Path) {
    let path = dir.join("content");
    let file = disk.open(&path, Open::CreateNew).await.unwrap();
    assert!(file.write_unit() >= 4096);
    assert_eq!(read(&file, 0, 10).await, b"");
    assert_eq!(file.write_at(3, buf(b"middle")).await.unwrap().to_vec(), b"middle", "the buffer comes back");
    assert_eq!(read(&file, 0, 100).await, b"\0\0\0middle");
    assert_eq!(read(&file, 4, 2).await, b"id");
    assert_eq!(read(&file, 100, 10).await, b"");
    file.write_at(0, AlignedBuf::with_capacity(1)).await.unwrap();
    file.write_at(20_000, buf(b"end")).await.unwrap();
    assert_eq!(read(&file, 19_998, 100).await, b"\0\0end");
    file.sync().await.unwrap();
    let known = disk.metadata(&path).await.unwrap();
    assert_eq!((known.len, known.links), (20_003, 1));

    let zeros = {
        let mut zeros = AlignedBuf::with_capacity(1 << 20);
        zeros.resize(1 << 20);
        zeros
    };
    file.write_at(0, zeros).await.unwrap();
    file.sync().await.unwrap();
    let known = disk.metadata(&path).await.unwrap();
    assert_eq!(known.len, 1 << 20);
    assert!(known.allocated >= 1 << 20, "written zeros are no holes");
    let pattern: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    file.write_at(777, buf(&pattern)).await.unwrap();
    assert_eq!(read(&file, 777, pattern.len()).await, pattern);
    assert_eq!(read(&file, 0, 777).await, vec![0; 777]);

    let reader = disk.open(&path, Open::Read).await.unwrap();
    assert_eq!(read(&reader, 777, 5).await, pattern[..5]);
    assert!(reader.write_at(0, buf(b"no")).await.is_err(), "a file open for reading takes no writes");
    assert_eq!(read(&reader, 0, 2).await, [0, 0]);
}

async fn locks(disk: &dyn Disk, dir: &Path) {
    let path = dir.join("locks");
    let first = disk.open(&path, Open::CreateNew).await.unwrap();
    let second = disk.open(&path, Open::Buffered).await.unwrap();
    let reader = disk.open(&path, Open::Read).await.unwrap();
    assert!(first.lock(0, Lock::Exclusive, false).await.unwrap());
    assert!(first.lock(0, Lock::Exclusive, true).await.unwrap(), "a holder may ask again");
    assert!(!second.lock(0, Lock::Exclusive, false).await.unwrap());
    assert!(!reader.lock(0, Lock::Shared, false).await.unwrap());
    assert!(second.lock(1, Lock::Shared, false).await.unwrap(), "bytes are locked one by one");
    assert!(reader.lock(1, Lock::Shared, false).await.unwrap(), "shared locks go together");
    assert!(!first.lock(1, Lock::Exclusive, false).await.unwrap());
    let mut waiting = second.lock(0, Lock::Exclusive, true);
    std::future::poll_fn(|cx| {
        assert!(waiting.as_mut().poll(cx).is_pending(), "the lock is held");
        std::task::Poll::Ready(())
    })
    .await;
    drop(first);
    assert!(waiting.await.unwrap(), "closing the holder releases it");
    assert!(!reader.lock(0, Lock::Shared, false).await.unwrap());
    assert!(second.lock(0, Lock::Shared, false).await.unwrap(), "an exclusive lock can become a shared one");
    assert!(reader.lock(0, Lock::Shared, false).await.unwrap());
}

async fn direct(disk: &dyn Disk, dir: &Path) -> bool {
    let path = dir.join("direct");
    let cached = disk.open(&path, Open::CreateNew).await.unwrap();
    let mut zeros = AlignedBuf::with_capacity(1);
    zeros.resize(16 * 65536);
    cached.write_at(0, zeros).await.unwrap();
    cached.sync().await.unwrap();
    let file = match disk.open(&path, Open::Direct).await {
        Ok(file) => file,
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::Unsupported, "{e}");
            return false;
        }
    };
    let unit = file.write_unit();
    assert!(unit >= 4096);
    let at = unit as u64;
    let pattern: Vec<u8> = (0..3 * unit).map(|i| (i % 241) as u8).collect();
    assert_eq!(file.write_at(at, buf(&pattern)).await.unwrap().to_vec(), pattern);
    assert_eq!(read(&file, at, pattern.len()).await, pattern);
    assert_eq!(read(&file, at + 5, 7).await, pattern[5..12], "a read need not be aligned");
    assert_eq!(read(&cached, at - 1, 3).await, [0, 0, 1], "the cache sees a direct write");
    cached.write_at(at, buf(b"through the cache")).await.unwrap();
    assert_eq!(read(&file, at, 7).await, b"through", "a direct read sees what is dirty in the cache");
    for (offset, len) in [(1, unit), (0, unit - 1), (512, unit)] {
        let refused = file.write_at(offset, buf(&pattern[..len])).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
    // Several writes under way at once, one of them given up by its caller.
    let writes: Vec<_> = (1..9u8).map(|i| file.write_at(at * u64::from(i), buf(&vec![i; unit]))).collect();
    for (i, write) in writes.into_iter().enumerate() {
        if i != 3 {
            write.await.unwrap();
        }
    }
    file.sync().await.unwrap();
    for i in (1..9u8).filter(|i| *i != 4) {
        assert_eq!(read(&file, at * u64::from(i), 2).await, [i, i]);
    }
    assert_eq!(read(&file, 16 * 65536 - 3, 10).await, [0; 3], "a read past the end is short");
    true
}
