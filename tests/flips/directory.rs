//! Small data directories, made by real commands through engine and log, on the simulated disk.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::task::Waker;

use ackd::command::dispatch;
use ackd::disk::sim::{Crash, World};
use ackd::disk::{AlignedBuf, Disk, Open};
use ackd::durability::fork::Output;
use ackd::durability::offline::{self, Until};
use ackd::durability::recovery::{self, RecoveryFailure};
use ackd::durability::repair::{self, RepairError};
use ackd::durability::snapshot;
use ackd::engine::Engine;
use ackd::engine::client::{ClientId, Peer};
use ackd::engine::config::Config;
use ackd::log::reader::LogReader;
use ackd::log::{Directory, Log, Manifest, Retention, Settings, SnapshotEntry, SyncPolicy, WalkInput, snapshot_name};

/// Where the data are in the simulated machine.
const DATA: &str = "/d/data";

/// The smallest segments that the log makes.
const SEGMENT: u64 = 32 << 10;

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By SHUTDOWN or SIGTERM.
    Stopped,
    /// By `kill -9` after a moment of idleness: the last frame is sealed.
    KilledIdle,
    /// By `kill -9` right behind its last acknowledgement.
    KilledBusy,
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub policy: SyncPolicy,
    pub end: End,
    /// Starts of a server, one after the other.
    pub runs: u64,
    /// Turns of commands in each run.
    pub turns: u64,
    /// Takes a snapshot after every second turn.
    pub snapshots: bool,
}

/// Content of all databases.
pub type Digest = Vec<u128>;

/// A directory at rest.
pub struct AtRest {
    pub world: World,
    /// Stream offsets and the content there, ascending; the first is empty, the last is all.
    pub states: Vec<(u64, Digest)>,
    /// Everything below this offset is vouched for by something behind it: a watermark, or a frame that was written only
    /// when all before it was durable.
    pub vouched: u64,
}

/// What a start ended in.
pub struct Started {
    pub end_offset: u64,
    pub digest: Digest,
}

fn digest(engine: &Engine) -> Digest {
    engine.dbs.iter().map(|db| db.digest()).collect()
}

fn settings(policy: SyncPolicy) -> Settings {
    Settings { segment_size: 2 * SEGMENT, first_segment_size: SEGMENT, policy, slice: SEGMENT }
}

fn empty_engine(world: &World) -> Rc<RefCell<Engine>> {
    thread_local! {
        static CONFIG: Config = {
            let mut config = Config::new();
            let words = [b"databases".to_vec(), b"3".to_vec()];
            ackd::engine::config::Reader::new(&mut config).command_line(&words).unwrap();
            config
        };
    }
    let config = CONFIG.with(Clone::clone);
    Rc::new(RefCell::new(Engine::new(Rc::new(world.clock()), fastrand::Rng::with_seed(1), config)))
}

/// A start of the server on this machine: the recovery of `durability::recovery`, and the log begun behind it.
async fn start(world: &World, policy: SyncPolicy) -> Result<(Rc<RefCell<Engine>>, Rc<Log>, u64), RecoveryFailure> {
    let engine = empty_engine(world);
    let disk: Rc<dyn Disk> = Rc::new(world.boot());
    let directory = Directory::open(disk, Path::new(DATA)).await?;
    let recovered = recovery::load(&engine, &directory).await?;
    let rng = engine.borrow_mut().rng.fork();
    let log = Log::start(directory, &recovered, settings(policy), Rc::new(world.clock()), rng).await?;
    engine.borrow_mut().continue_at(log.written());
    engine.borrow_mut().loading = None;
    Ok((engine, log, recovered.end_offset))
}

/// Starts on a copy, and answers what is served.
pub fn started(world: &World) -> Result<Started, RecoveryFailure> {
    let run = world.run(async {
        let (engine, _log, end_offset) = start(world, SyncPolicy::Always).await?;
        let digest = digest(&engine.borrow());
        Ok(Started { end_offset, digest })
    });
    run.expect("a start does not get stuck")
}

/// Repairs a copy of the files, as `ackd repair --yes` does, and answers what is kept; nothing where the files seem to be
/// those of a newer version, which is no damage.
pub fn repaired(world: &World) -> Result<Option<Started>, String> {
    let place = tempfile::Builder::new().prefix("ackd-test-").tempdir().map_err(|error| error.to_string())?;
    let data = place.path().join("data");
    for file in world.files() {
        let to = data.join(file.strip_prefix(DATA).map_err(|error| error.to_string())?);
        let written = std::fs::create_dir_all(to.parent().unwrap_or(&data))
            .and_then(|()| std::fs::write(&to, world.read(&file).unwrap_or_default()));
        written.map_err(|error| error.to_string())?;
    }
    for folder in ["log", "snapshots"] {
        std::fs::create_dir_all(data.join(folder)).map_err(|error| error.to_string())?;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    match runtime.block_on(repair::repair(&data, &mut |_, _| {})) {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return Err("a start is refused, and repair finds nothing wrong".into()),
        Err(RepairError::Newer(_)) => return Ok(None),
        Err(error) => return Err(format!("it cannot be repaired: {error}")),
    }
    if !data.join("MANIFEST").exists() {
        // Nothing can be kept, and nothing is there.
        let empty = digest(&empty_engine(world).borrow());
        return Ok(Some(Started { end_offset: 0, digest: empty }));
    }
    let loaded = offline::load(&data, Until::End, &mut |_, _| {}).map_err(|error| format!("repaired, but: {error}"))?;
    let mut found = digest(&loaded.engine);
    let databases = digest(&empty_engine(world).borrow()).len();
    let rest = found.split_off(databases);
    let empty = ackd::keyspace::Db::default().digest();
    if rest.iter().any(|digest| *digest != empty) {
        return Err("repaired, with keys in databases that there never were".into());
    }
    Ok(Some(Started { end_offset: loaded.place.offset, digest: found }))
}

impl Plan {
    /// Makes the directory.
    pub fn make(&self) -> AtRest {
        let world = World::new(11);
        world.make_dir(Path::new("/d"));
        let mut states = Vec::new();
        world.run(async {
            for run in 1..=self.runs {
                let (engine, log, _) = start(&world, self.policy).await.unwrap();
                if states.is_empty() {
                    states.push((0, digest(&engine.borrow())));
                }
                let is_last = run == self.runs;
                self.serve(&world, &engine, &log, run, &mut states).await;
                match (is_last, self.end) {
                    (true, End::KilledBusy) => {}
                    (true, End::KilledIdle) => {
                        log.sync().await.unwrap();
                        log.seal().await.unwrap();
                    }
                    _ => log.close().await.unwrap(),
                }
            }
        });
        // Everything written has reached the medium, and nothing is in the cache: flips are seen.
        let world = world.image(Crash::Power, 1);
        let vouched = vouched(&world);
        AtRest { world, states, vouched }
    }

    async fn serve(
        &self,
        world: &World,
        engine: &Rc<RefCell<Engine>>,
        log: &Log,
        run: u64,
        states: &mut Vec<(u64, Digest)>,
    ) {
        let client = {
            let mut engine = engine.borrow_mut();
            engine.admission.set_room(u64::MAX >> 1);
            let client = engine.clients.add(Peer { is_local: true, ..Peer::default() }, 0);
            engine.clients.get_mut(client).unwrap().authenticated = true;
            client
        };
        for turn in 0..self.turns {
            for line in commands(run, turn) {
                request(&mut engine.borrow_mut(), client, &line);
            }
            let mut batch = engine.borrow_mut().stream.take(Waker::noop()).expect("each turn changes something");
            if log.room() < batch.frame.len() as u64 || log.needs_spare().is_some() {
                log.prepare(batch.frame.len() as u64).await.unwrap();
            }
            let (wall_ms, end) = (engine.borrow().now_ms(), batch.end());
            assert_eq!(log.append(&mut batch.frame, wall_ms).await.unwrap().end, end);
            states.push((end, digest(&engine.borrow())));
            if self.policy == SyncPolicy::EverySec && turn % 4 == 1 {
                log.sync().await.unwrap();
            }
            if self.snapshots && turn % 2 == 1 {
                let mut gathered = Gathered::default();
                snapshot::write(&engine.borrow(), log.written(), &mut gathered).unwrap();
                install(world, log, &gathered.0).await;
            }
        }
    }
}

/// What a forked copy writes, gathered.
#[derive(Default)]
struct Gathered(Vec<u8>);

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Gathered {
    fn done(&mut self, _: u64) {}
}

async fn install(world: &World, log: &Log, bytes: &[u8]) {
    let place = log.place();
    let file = snapshot_name(place.offset, 0);
    let path = log.directory().snapshot_dir().join(&file);
    let opened = world.boot().open(&path, Open::CreateNew).await.unwrap();
    let mut buf = AlignedBuf::with_capacity(bytes.len());
    buf.extend_from_slice(bytes);
    opened.write_at(0, buf).await.unwrap();
    opened.sync().await.unwrap();
    let (size, crc) = (bytes.len() as u64, crc32fast::hash(bytes));
    log.install_snapshot(SnapshotEntry { file, size, crc, place }, Retention::default()).await.unwrap();
}

/// A turn: one write or a few, of all shapes, to all databases.
fn commands(run: u64, turn: u64) -> Vec<Vec<Vec<u8>>> {
    let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut lines = vec![words(&format!("SELECT {}", turn % 3)), words(&format!("SET run:{run}:{turn} {turn}"))];
    match turn % 12 {
        0 => lines.push(words("INCR counter")),
        1 => lines.push(vec![b"SET".to_vec(), b"\x00binary\xff".to_vec(), vec![turn as u8; 900]]),
        2 => lines.extend(["MULTI", "APPEND text abc", "INCRBY counter 7", "DEL run:1:0", "EXEC"].map(words)),
        3 => lines.push(words("SET lease 1 PXAT 99999999999999")),
        4 => lines.push(vec![b"SET".to_vec(), b"large".to_vec(), vec![b'L'; 5000]]),
        5 => lines.push(words("COPY large copied REPLACE")),
        6 => lines.extend(["HSET hash a 1 b 2", "HEXPIRE hash 9999999 FIELDS 1 a"].map(words)),
        7 => lines.extend(["RPUSH list a b c", "LPOP list", "SADD set 1 2 3", "SADD words x y"].map(words)),
        8 => lines.extend(["ZADD zset 1.5 a 2 b", "GEOADD geo 13.36 38.11 Palermo", "PFADD hll a b c"].map(words)),
        9 => {
            let lines_of = ["XADD log:{run} 1-1 f v", "XADD log:{run} 2-1 f w", "XDEL log:{run} 1-1"];
            lines.extend(lines_of.map(|line| words(&line.replace("{run}", &run.to_string()))));
        }
        10 => {
            let lines_of = [
                "XADD jobs:{run} 1-1 f v",
                "XGROUP CREATE jobs:{run} group 0",
                "XREADGROUP GROUP group one COUNT 1 STREAMS jobs:{run} >",
                "SETBIT bits 77 1",
            ];
            lines.extend(lines_of.map(|line| words(&line.replace("{run}", &run.to_string()))));
        }
        _ => lines.extend(["SADD set 1 2 3", "SPOP set", "DEL words"].map(words)),
    }
    lines
}

fn request(engine: &mut Engine, client: ClientId, words: &[Vec<u8>]) {
    engine.read_clock();
    let mut client = engine.clients.take(client);
    let arguments: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    dispatch::request(engine, &mut client, &arguments);
    let end = engine.stream.offset();
    engine.gate.advance_durable(end);
    let reply = client.output.sendable(&engine.gate).to_vec();
    client.output.consume(reply.len());
    assert!(!reply.starts_with(b"-"), "{}: {}", words[0].escape_ascii(), reply.escape_ascii());
    engine.clients.put(client);
}

/// The offset up to which something behind vouches for the frames.
fn vouched(world: &World) -> u64 {
    let manifest = Manifest::parse(&world.read(&Path::new(DATA).join("MANIFEST")).unwrap()).unwrap();
    let folder = Path::new(DATA).join("log");
    let bytes: Vec<Vec<u8>> =
        manifest.segments.iter().map(|segment| world.read(&folder.join(segment.file_name())).unwrap()).collect();
    let input = WalkInput {
        segments: manifest.segments.clone(),
        directory: folder.clone(),
        durable: manifest.durable,
        clean: manifest.clean,
        base_offset: manifest.snapshots.first().map_or(0, |snapshot| snapshot.place.offset),
        tail_is_live: false,
    };
    let mut vouched = manifest.durable;
    for frame in LogReader::new(input, bytes.iter().map(Vec::as_slice).collect()) {
        let frame = frame.unwrap();
        let header = frame.header;
        vouched = vouched.max(header.durable);
        if header.always {
            vouched = vouched.max(header.offset);
        }
    }
    vouched
}
