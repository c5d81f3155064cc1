//! Random writes and syncs, compared with a plain vector of bytes and with the set of values that each may have after a
//! power cut.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::{Crash, World};
use crate::disk::{AlignedBuf, Disk, Open};

fn buf(bytes: &[u8]) -> AlignedBuf {
    let mut buf = AlignedBuf::default();
    buf.extend_from_slice(bytes);
    buf
}

fn file_path() -> &'static Path {
    Path::new("/d/f")
}

#[derive(Clone, Debug)]
enum Act {
    Write(usize, usize, u8),
    Direct(usize, usize, u8),
    Sync,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..30_000usize, 1..9000usize, any::<u8>()).prop_map(|(at, len, byte)| Act::Write(at, len, byte)),
        2 => (0..8usize, 1..4usize, any::<u8>()).prop_map(|(at, len, byte)| Act::Direct(at * 4096, len * 4096, byte)),
        1 => Just(Act::Sync),
    ]
}

proptest! {
    #[test]
    fn without_faults_it_is_a_file_and_what_was_synced_survives(acts in prop::collection::vec(act(), 1..30), seed in any::<u64>()) {
        let world = World::new(seed);
        world.make_dir(Path::new("/d"));
        world.set_auto(3);
        let disk = world.boot();
        // What a reader sees; and, for each byte, all values it may have after a power cut.
        let mut model: Vec<u8> = Vec::new();
        let mut allowed: Vec<BTreeSet<u8>> = Vec::new();
        let mut damaged: BTreeSet<usize> = BTreeSet::new();
        let mut synced_len = 0;
        world.run(async {
            let file = disk.open(file_path(), Open::CreateNew).await.unwrap();
            disk.sync_dir(Path::new("/d")).await.unwrap();
            let direct = disk.open(file_path(), Open::Direct).await.unwrap();
            for act in &acts {
                match *act {
                    Act::Write(at, len, byte) | Act::Direct(at, len, byte) => {
                        let whole = matches!(act, Act::Direct(..));
                        let to = if whole { &direct } else { &file };
                        to.write_at(at as u64, buf(&vec![byte; len])).await.unwrap();
                        let end = model.len().max(at + len);
                        model.resize(end, 0);
                        allowed.resize(end, BTreeSet::from([0]));
                        model[at..at + len].fill(byte);
                        for value in &mut allowed[at..at + len] {
                            if whole { value.clear(); }
                            value.insert(byte);
                        }
                        for page in at / 4096..(at + len).div_ceil(4096) {
                            if whole { damaged.remove(&page); } else { damaged.insert(page); }
                        }
                        if whole { synced_len = synced_len.max(at + len); }
                    }
                    Act::Sync => {
                        file.sync().await.unwrap();
                        allowed = model.iter().map(|byte| BTreeSet::from([*byte])).collect();
                        damaged.clear();
                        synced_len = model.len();
                    }
                }
                assert_eq!(file.read_at(0, 1 << 20).await.unwrap().to_vec(), model);
                assert_eq!(direct.read_at(0, 1 << 20).await.unwrap().to_vec(), model);
            }
        }).unwrap();
        for choice in 0..20 {
            prop_assert_eq!(world.image(Crash::Kill, choice).read(file_path()).unwrap(), model.clone());
            let after = world.image(Crash::Power, choice).read(file_path()).unwrap();
            prop_assert!(after.len() >= synced_len && after.len() <= model.len());
            for (at, byte) in after.iter().enumerate() {
                prop_assert!(damaged.contains(&(at / 4096)) || allowed[at].contains(byte), "byte {} is {}", at, byte);
            }
        }
    }
}
