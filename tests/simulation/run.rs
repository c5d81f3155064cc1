//! One run, by one seed: lives of a server, clients, clock, faults and crashes, one small step after another.

use ackd::disk::sim::{Crash, World};
use ackd::engine::config::AppendFsync;
use ackd::engine::gate::Level;
use ackd::engine::trial::Planted;
use std::collections::HashMap;
use std::path::Path;
use std::task::{Context, Waker};
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3;

use ackd::base::clock::Clock;

use super::cache::{Cache, Changes};
use super::client::{Executed, Received, SimClient};
use super::command::{Generator, Meaning};
use super::crash::{Moment, Tried};
use super::fork::Copy;
use super::model::{KEYS, Model, Recovered};
use super::panics;
use super::server::{DIRECTORY, Happening, Phase, Server, Settings};
use super::weather::Weather;

/// Lives of a server in one run.
const LIVES: u32 = 10;

/// One seed in so many has clients that cache.
const CACHING_ONE_IN: u64 = 5;

/// One seed in so many has a disk that lies.
const LYING_ONE_IN: u64 = 10;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Distinct crash points.
    pub points: u64,
    /// Recoveries, with those after a second crash.
    pub recoveries: u64,
    /// Disk operations of the run itself.
    pub operations: u64,
    pub commands: u64,
    pub lives: u64,
    /// A fingerprint of all that happened.
    pub trace: u64,
}

/// A run that went wrong.
#[derive(Clone, Debug)]
pub struct Violation {
    pub seed: u64,
    pub operation: u64,
    pub points: u64,
    pub what: String,
}

/// Why a life went no further.
enum End {
    /// The process ended, or was killed.
    Exit,
    /// The power failed.
    Power,
    /// It was shut down.
    Clean,
    /// A lying disk left nothing to start from.
    Over,
}

pub struct Simulation {
    seed: u64,
    planted: Planted,
    /// Prints what happens.
    verbose: bool,
    rng: fastrand::Rng,
    world: World,
    /// Operations of the worlds before this one.
    earlier_operations: u64,
    server: Server,
    settings: Settings,
    clients: Vec<SimClient>,
    generator: Generator,
    model: Model,
    weather: Weather,
    has_lied: bool,
    /// The disk's size is limited, or was earlier in this life.
    is_limited: bool,
    has_direct: bool,
    /// A sync has failed at some time.
    log_has_failed: bool,
    /// The cache lost during this life what it alone had.
    cache_has_lost: bool,
    served: bool,
    /// How the life before ended.
    last_crash: Crash,
    policy: AppendFsync,
    policy_in_flight: bool,
    tried: Tried,
    commands: u64,
    lives: u64,
    trace: Xxh3,
    /// Copies whose server has died.
    orphans: Vec<Copy>,
    /// What the numbers that were published tell of: everything up to an offset, at a level.
    published: HashMap<u64, (Level, u64)>,
    /// What changed in this life, for clients that cache.
    changes: Changes,
}

/// Runs one seed.
pub fn run(seed: u64, planted: Planted, verbose: bool) -> Result<Figures, Violation> {
    let mut simulation = Simulation::new(seed, planted, verbose);
    let result = panics::caught(|| simulation.lives());
    let figures = simulation.figures();
    match result {
        Ok(Ok(())) => Ok(figures),
        Ok(Err(what)) | Err(what) => {
            Err(Violation { seed, operation: figures.operations, points: figures.points, what })
        }
    }
}

impl Simulation {
    fn new(seed: u64, planted: Planted, verbose: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xacd);
        let world = World::new(rng.u64(..));
        world.make_dir(Path::new("/data"));
        let has_direct = rng.u8(..10) < 6;
        world.set_direct(has_direct);
        let settings = draw_settings(&mut rng, seed, planted);
        let model = Model::new(&world, &settings);
        let server = Server::start(&world, &settings);
        let generator = Generator::new(rng.u32(20..200));
        Self {
            seed,
            planted,
            verbose,
            world,
            earlier_operations: 0,
            server,
            policy: settings.policy,
            settings,
            clients: Vec::new(),
            generator,
            model,
            weather: Weather::default(),
            has_lied: false,
            is_limited: false,
            has_direct,
            log_has_failed: false,
            cache_has_lost: false,
            served: false,
            last_crash: Crash::Kill,
            policy_in_flight: false,
            tried: Tried::default(),
            commands: 0,
            lives: 0,
            trace: Xxh3::new(),
            orphans: Vec::new(),
            published: HashMap::new(),
            changes: Changes::default(),
            rng,
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            points: self.tried.distinct(),
            recoveries: self.tried.recoveries,
            operations: self.operation(),
            commands: self.commands,
            lives: self.lives,
            trace: self.trace.digest(),
        }
    }

    /// The number of the next disk operation, in the whole run.
    fn operation(&self) -> u64 {
        self.earlier_operations + self.world.operations()
    }

    fn lives(&mut self) -> Result<(), String> {
        for number in 0..LIVES {
            if number > 0 {
                self.settings = draw_settings(&mut self.rng, self.seed, self.planted);
                self.policy = self.settings.policy;
                self.policy_in_flight = false;
                self.served = false;
                self.cache_has_lost = false;
                self.server = Server::start(&self.world, &self.settings);
            }
            self.lives += 1;
            self.world.set_manual();
            if self.verbose {
                println!("life {number}: {:?}", self.settings);
                self.print_operations();
            }
            self.weather = Weather::draw(&mut self.rng, self.seed % LYING_ONE_IN == LYING_ONE_IN - 1);
            if self.verbose {
                println!("{:?}", self.weather);
            }
            self.has_lied |= self.weather.lies;
            self.log_has_failed |= self.weather.log_may_fail;
            self.world.set_faults(self.weather.faults.clone());
            if self.rng.bool() {
                self.limit(None);
                self.is_limited = false;
            }
            let crash = match self.life()? {
                End::Over => return Ok(()),
                End::Exit => Crash::Kill,
                End::Power => Crash::Power,
                End::Clean if self.rng.bool() => Crash::Power,
                End::Clean => Crash::Kill,
            };
            self.die(crash);
        }
        Ok(())
    }

    fn print_operations(&self) {
        let before = self.earlier_operations;
        self.world.set_hook(Some(Box::new(move |world, operation| {
            let (number, path) = (before + world.operations(), operation.path.display());
            println!("  {number} {:?} {path}{}", operation.kind, if operation.late { ", late" } else { "" });
        })));
    }

    /// One life, up to the moment of its death.
    fn life(&mut self) -> Result<End, String> {
        for _ in 0..self.rng.u32(40..250) {
            if let Some(end) = self.turn()? {
                return Ok(end);
            }
            self.crash_points(2)?;
            self.act();
        }
        match self.rng.u8(..10) {
            0..=2 => {
                if let Some(end) = self.settle()? {
                    return Ok(end);
                }
                if self.rng.bool() {
                    return self.stop();
                }
            }
            3 => return self.stop(),
            _ => {}
        }
        // Death finds a server at work more often than an idle one.
        for _ in 0..self.rng.u8(1..16) {
            if let Some(end) = self.turn()? {
                return Ok(end);
            }
            if self.world.at_risk().in_flight > 0 {
                break;
            }
            self.command();
        }
        if let Some(end) = self.turn()? {
            return Ok(end);
        }
        Ok(if self.rng.u8(..3) == 0 { End::Power } else { End::Exit })
    }

    /// Lets the server go on until it waits, and looks at all it has done.
    fn turn(&mut self) -> Result<Option<End>, String> {
        self.look_after_orphans();
        self.server.run_until_idle();
        if let Some(message) = panics::take() {
            return Err(format!("a task panicked: {message}"));
        }
        if let Some(end) = self.look_at_phase()? {
            return Ok(Some(end));
        }
        self.take_happenings()?;
        self.take_replies()?;
        if let Some(reason) = self.server.serve_requests() {
            if !self.weather.log_may_fail {
                return Err(format!("the log failed on a healthy disk: {reason}"));
            }
            return Ok(Some(End::Exit));
        }
        Ok(None)
    }

    fn look_at_phase(&mut self) -> Result<Option<End>, String> {
        let phase = self.server.phase.clone();
        match &*phase.borrow() {
            Phase::Starting | Phase::Stopping => Ok(None),
            Phase::Serving(_) if self.served => Ok(None),
            Phase::Serving(_) => {
                self.served = true;
                self.begin_serving()?;
                Ok(None)
            }
            Phase::Failed { refused: true, .. } if self.has_lied => Ok(Some(End::Over)),
            Phase::Failed { .. } if self.cache_has_lost => Ok(Some(End::Exit)),
            Phase::Failed { refused: true, reason } => Err(format!("an undamaged history is refused: {reason}")),
            Phase::Failed { reason, .. } if !self.weather.log_may_fail && !self.start_may_need_space() => {
                Err(format!("the start failed on a healthy disk: {reason}"))
            }
            Phase::Failed { .. } => Ok(Some(End::Exit)),
            Phase::Stopped(Ok(())) => Ok(Some(End::Clean)),
            Phase::Stopped(Err(reason)) if !self.weather.log_may_fail => {
                Err(format!("the shutdown failed on a healthy disk: {reason}"))
            }
            Phase::Stopped(Err(_)) => Ok(Some(End::Exit)),
        }
    }

    /// Whether a start may fail on a full disk: one that makes a new directory, or that must write the end of the log
    /// anew because it cannot be read back past the cache.
    fn start_may_need_space(&self) -> bool {
        let is_new = self.world.read(&Path::new(DIRECTORY).join("MANIFEST")).is_none();
        self.is_limited && (is_new || !self.has_direct || self.log_has_failed)
    }

    /// The server has started: what it found must be right, and counts from here on.
    fn begin_serving(&mut self) -> Result<(), String> {
        let found = Recovered::of(&self.server.node.engine.borrow());
        match self.has_lied {
            true => self.model.check_prefix_or_before(&found)?,
            false => self.model.check(self.last_crash, &found)?,
        }
        self.model.restarted(&self.world, &self.settings, &self.server.node.engine);
        self.changes = Changes::default();
        self.trace.update(&found.end.to_le_bytes());
        for _ in 0..self.rng.u8(1..5) {
            self.connect();
        }
        Ok(())
    }

    /// A client that sends commands and, now and then, one that only listens or caches.
    fn connect(&mut self) {
        let (id, stream) = self.server.connect();
        self.clients.push(SimClient::new(id, stream));
        if self.rng.u8(..4) == 0 {
            let (id, stream) = self.server.connect();
            let mut listener = SimClient::new(id, stream);
            listener.listens = true;
            listener.send(self.generator.subscribe());
            listener.push(usize::MAX);
            self.clients.push(listener);
        }
        // By the seed alone, so that the other seeds do what they always did.
        if self.seed % CACHING_ONE_IN == 2 {
            let (id, stream) = self.server.connect();
            let mut client = SimClient::new(id, stream);
            let (cache, requests) = Cache::new(&mut self.rng);
            requests.into_iter().for_each(|request| client.send(request));
            client.cache = Some(cache);
            client.push(usize::MAX);
            self.clients.push(client);
        }
    }

    fn take_happenings(&mut self) -> Result<(), String> {
        for happening in self.server.take_happenings() {
            match happening {
                Happening::Unit { end, effects } => {
                    if self.verbose {
                        println!("unit up to {end}: {}", shown(&effects));
                    }
                    self.trace.update(&effects);
                    self.model.unit(end, &effects)?;
                    self.changes.unit(end, &effects, &self.model);
                }
                Happening::Executed { client, level, wrote } => {
                    let Some(client) = self.clients.iter_mut().find(|known| known.id == client) else { continue };
                    let Some(request) = client.sent.pop_front() else {
                        return Err("a command was executed that nobody sent".into());
                    };
                    self.commands += 1;
                    let at = self.model.executed();
                    if wrote {
                        client.last_write = at;
                    }
                    // Who listens has asked for no level: messages come at the server's.
                    let level_of_listeners = match self.policy {
                        AppendFsync::Always if !self.policy_in_flight => Level::Disk,
                        _ => Level::Os,
                    };
                    let told = (level_of_listeners, client.last_write);
                    self.published.extend(request.publishes.iter().map(|number| (*number, told)));
                    let own = if wrote { at } else { 0 };
                    let expected = match request.meaning {
                        Meaning::Get(slot) => self.model.get_reply(slot),
                        Meaning::Cache(slot) => {
                            let null_of_resp3 = |reply| if reply == b"$-1\r\n" { b"_\r\n".to_vec() } else { reply };
                            self.model.get_reply(slot).map(null_of_resp3)
                        }
                        _ => None,
                    };
                    let reveals = own.max(self.model.last_change(request.touch.slots()));
                    let told = match &request.meaning {
                        Meaning::Exec(watched) => self.model.last_change(watched.iter().copied()),
                        Meaning::WaitAof => client.last_write,
                        Meaning::Policy(_) => self.model.acknowledged(),
                        _ => reveals,
                    };
                    let changes = request.touch.slots().into_iter().map(|slot| self.model.last_change([slot]));
                    let least = changes.min().unwrap_or(0);
                    client.executed.push_back(Executed { request, level, wrote, at, reveals, least, told, expected });
                }
            }
        }
        Ok(())
    }

    fn take_replies(&mut self) -> Result<(), String> {
        let mut received = Vec::new();
        for (at, client) in self.clients.iter_mut().enumerate() {
            client.receive();
            while let Some(next) = client.next() {
                received.push((at, next?));
            }
            if client.closed && !self.server.node.engine.borrow().stopping {
                return Err("the server closed a connection".into());
            }
        }
        for (at, received) in received {
            let cache = self.clients[at].cache.as_mut();
            match received {
                Received::Reply(executed, reply) => {
                    if let (Some(cache), Meaning::Cache(slot)) = (cache, &executed.request.meaning) {
                        cache.keep(*slot, executed.at, executed.wrote);
                    }
                    self.trace.update(&reply);
                    self.understand(&executed, &reply)?;
                }
                Received::Message(number) => {
                    let (level, offset) = self.published.get(&number).ok_or("a message that nobody published")?;
                    self.model.promise(*level, *offset);
                }
                Received::Changed(slots) => {
                    let Some(cache) = cache else { return Err("who caches nothing is told that it changed".into()) };
                    for slot in slots {
                        cache.drop_key(slot, &self.changes, &mut self.model)?;
                    }
                }
                Received::EverythingChanged => cache.into_iter().for_each(Cache::drop_everything),
            }
        }
        let caches = self.clients.iter().filter_map(|client| client.cache.as_ref());
        caches.into_iter().try_for_each(|cache| cache.check(&self.changes, &self.model))
    }

    /// What a reply that has left the server means.
    fn understand(&mut self, executed: &Executed, reply: &[u8]) -> Result<(), String> {
        if self.verbose {
            let (words, level) = (shown(&executed.request.words.join(&b' ')), executed.level);
            println!("{words} at {} ({level:?}, {}): {}", executed.at, executed.reveals, shown(reply));
        }
        let is_refusal = [&b"-MISCONF"[..], b"-LOADING", b"-EXECABORT"].iter().any(|code| reply.starts_with(code));
        if is_refusal && executed.wrote {
            return Err(format!("a refused command had effects: {}", reply.escape_ascii()));
        }
        if is_refusal {
            return Ok(());
        }
        if let Some(expected) = &executed.expected
            && expected != reply
        {
            let (reply, expected) = (reply.escape_ascii(), expected.escape_ascii());
            return Err(format!("{:?} answered {reply}, not {expected}", executed.request.words[0].escape_ascii()));
        }
        let revealed = if reply.starts_with(b"*-1") {
            executed.told
        } else if reply.windows(10).any(|word| word == b"-WRONGTYPE") {
            executed.least
        } else {
            executed.reveals
        };
        self.model.promise(executed.level, revealed);
        let is_everysec = self.policy == AppendFsync::EverySec && !self.policy_in_flight;
        if executed.wrote && executed.level == Level::Os && is_everysec {
            self.model.acknowledged_everysec(self.world.clock().monotonic_us(), executed.at);
        }
        match executed.request.meaning {
            Meaning::WaitAof if reply.starts_with(b"*2\r\n:1") => {
                self.model.promise(Level::Disk, executed.told);
            }
            Meaning::Policy(to) => {
                self.policy_in_flight = false;
                if reply.starts_with(b"+OK") && to != self.policy {
                    // What was acknowledged before the change was asked for is synced before it is acknowledged.
                    self.model.promise(Level::Disk, executed.told);
                    self.policy = to;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// One step of the outside world.
    fn act(&mut self) {
        match self.rng.u8(..100) {
            0..=54 if self.world.step().is_some() => {}
            55..=88 => self.command(),
            0..=54 | 89..=94 => self.let_time_pass(),
            95 => {
                let by_us = self.rng.i64(-5_000_000..5_000_000);
                self.world.clock().step_wall(by_us);
            }
            96 if self.served && self.clients.len() < 8 => self.connect(),
            97 if !self.clients.is_empty() => {
                let gone = self.rng.usize(..self.clients.len());
                let client = self.clients.swap_remove(gone);
                // What it has sent may still be executed, though nobody hears at which level.
                let numbers = client.sent.iter().flat_map(|request| &request.publishes);
                self.published.extend(numbers.map(|number| (*number, (Level::Memory, 0))));
            }
            98 => {
                let limit = (self.rng.u8(..3) == 0).then(|| self.rng.u64(100_000..600_000));
                self.limit(limit);
            }
            // What a failed sync left in the cache alone is lost now, as with the power. A server that was there has ended.
            _ if self.world.drop_caches() > 0 && !self.served => {
                self.last_crash = Crash::Power;
                self.cache_has_lost = true;
            }
            _ => {}
        }
    }

    fn limit(&mut self, bytes: Option<u64>) {
        self.is_limited |= bytes.is_some();
        self.world.set_capacity(bytes);
    }

    fn let_time_pass(&mut self) {
        let clock = self.world.clock();
        let now = clock.monotonic_us();
        let by = match self.rng.u8(..16) {
            0 => self.rng.u64(300_000..2_500_000),
            1..=6 => self.rng.u64(1..30_000),
            _ => self.world.next_due_us().map_or(1_000, |due| due.saturating_sub(now).max(1)),
        };
        clock.advance(Duration::from_micros(by));
    }

    fn command(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let now_ms = self.world.clock().wall_ms();
        let at = self.rng.usize(..self.clients.len());
        let client = &mut self.clients[at];
        if let Some(cache) = client.cache.as_ref().filter(|_| !client.is_waiting()) {
            let requests = cache.read(&mut self.rng);
            requests.into_iter().for_each(|request| client.send(request));
        }
        if !client.listens && client.cache.is_none() && client.outstanding() < 12 && !client.has_unsent() {
            for _ in 0..self.rng.u8(1..4) {
                let request = self.generator.next(&mut self.rng, &mut client.session, now_ms);
                client.send(request);
            }
            if self.rng.u8(..40) == 0 && !self.policy_in_flight && !client.session.is_queueing() {
                let to = draw_policy(&mut self.rng);
                client.send(self.generator.policy(to));
                self.policy_in_flight = true;
                self.model.forget_everysec();
            }
        }
        let count = if self.rng.u8(..8) == 0 { self.rng.usize(1..200) } else { usize::MAX };
        client.push(count);
    }

    /// The disk is well again and all operations end: every request is answered, and all is synced that must be.
    fn settle(&mut self) -> Result<Option<End>, String> {
        self.world.set_faults(Default::default());
        self.limit(None);
        let clock = self.world.clock();
        let mut quiet_since_us = clock.monotonic_us();
        for _ in 0..3_000 {
            if let Some(end) = self.turn()? {
                return Ok(Some(end));
            }
            for client in &mut self.clients {
                client.push(usize::MAX);
            }
            if self.rng.u8(..32) == 0 {
                self.crash_points(1)?;
            }
            if self.world.step().is_some() {
                continue;
            }
            let is_waiting = self.clients.iter().any(SimClient::is_waiting);
            if self.world.at_risk().in_flight > 0 {
                quiet_since_us = clock.monotonic_us();
            }
            let quiet_us = clock.monotonic_us() - quiet_since_us;
            if self.served && !is_waiting && quiet_us > 2_500_000 {
                if self.policy == AppendFsync::EverySec && !self.policy_in_flight {
                    self.model.all_synced();
                }
                return Ok(None);
            }
            let due = self.world.next_due_us().unwrap_or(clock.monotonic_us() + 1_000);
            clock.advance(Duration::from_micros(due.saturating_sub(clock.monotonic_us()).max(1)));
        }
        let waiting = self
            .clients
            .iter()
            .find_map(|client| client.sent.front().or(client.executed.front().map(|executed| &executed.request)));
        let words = waiting.map(|request| request.words.join(&b' ').escape_ascii().to_string());
        Err(format!("on a healthy disk something waits for ever: {words:?}, served: {}", self.served))
    }

    /// A clean shutdown.
    fn stop(&mut self) -> Result<End, String> {
        if !self.served {
            return Ok(End::Exit);
        }
        self.server.stop();
        for _ in 0..2_000 {
            if let Some(end) = self.turn()? {
                if matches!(end, End::Clean) {
                    self.model.all_durable();
                }
                return Ok(end);
            }
            if self.rng.u8(..4) == 0 {
                self.crash_points(2)?;
            }
            if self.world.step().is_none() {
                self.let_time_pass();
            }
        }
        Err("the shutdown takes for ever".into())
    }

    /// Tries crashes at this moment.
    fn crash_points(&mut self, count: u32) -> Result<(), String> {
        let at_risk = self.world.at_risk();
        let is_quiet = at_risk.in_flight + at_risk.content + at_risk.names == 0;
        if is_quiet && !self.model.has_unpromised() {
            return Ok(());
        }
        let moment = Moment {
            world: &self.world,
            model: &self.model,
            settings: Settings { policy: draw_policy(&mut self.rng), shadow: false, ..self.settings },
            operation: self.earlier_operations + self.world.operations(),
            lied: self.has_lied,
            // What an earlier crash took is gone, whatever comes now, until a start has said what is there.
            power_failed: !self.served && self.last_crash == Crash::Power,
        };
        for _ in 0..count {
            let crash = if self.rng.u8(..4) == 0 { Crash::Kill } else { Crash::Power };
            let choice = draw_choice(&mut self.rng);
            moment.crash(crash, choice, &mut self.rng, &mut self.tried)?;
        }
        Ok(())
    }

    /// Crashes for good, and goes on in what is left.
    fn die(&mut self, crash: Crash) {
        // A start that was cut short promised nothing new, so what the crash before it may have taken stays taken.
        if self.served || crash == Crash::Power {
            self.last_crash = crash;
        }
        if self.verbose {
            println!("{crash:?}, with {:?} under way", self.world.pending());
        }
        self.clients.clear();
        let has_copies = !self.server.copies.borrow().is_empty();
        if has_copies && crash == Crash::Kill && self.rng.u8(..3) > 0 {
            // The server dies alone; what writes its snapshot has not noticed yet.
            self.orphans.append(&mut self.server.copies.borrow_mut());
            self.world.kill(self.server.process);
            return;
        }
        self.orphans.clear();
        self.earlier_operations += self.world.operations();
        self.world = self.world.image(crash, draw_choice(&mut self.rng));
    }

    /// Copies of a dead server go on for a moment, until the system ends them.
    fn look_after_orphans(&mut self) {
        if !self.orphans.is_empty() && self.rng.u8(..12) == 0 {
            self.orphans.drain(..).for_each(|copy| copy.kill(&self.world));
        }
        self.orphans.retain_mut(|copy| !copy.poll(&mut Context::from_waker(Waker::noop())));
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(100)].escape_ascii().to_string()
}

fn draw_choice(rng: &mut fastrand::Rng) -> u64 {
    match rng.u8(..8) {
        0 => 0,
        1 => 1,
        _ => rng.u64(2..),
    }
}

fn draw_policy(rng: &mut fastrand::Rng) -> AppendFsync {
    [AppendFsync::Always, AppendFsync::Always, AppendFsync::EverySec, AppendFsync::No][rng.usize(..4)]
}

/// One seed in so many has little memory.
const LITTLE_MEMORY_ONE_IN: u64 = 6;

fn draw_settings(rng: &mut fastrand::Rng, seed: u64, planted: Planted) -> Settings {
    const POLICIES: [&str; 5] = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl", "noeviction"];
    // By the seed alone, so that the other seeds do what they always did.
    let group = seed / LITTLE_MEMORY_ONE_IN;
    let little = seed % LITTLE_MEMORY_ONE_IN == 4;
    let memory = little.then(|| (group % KEYS as u64 + 1, POLICIES[group as usize % POLICIES.len()]));
    let sizes = [(64 << 10, 64 << 10), (64 << 10, 128 << 10), (96 << 10, 96 << 10)];
    Settings {
        policy: draw_policy(rng),
        segment_sizes: sizes[rng.usize(..sizes.len())],
        planted,
        seed: rng.u64(..),
        shadow: true,
        memory,
    }
}
