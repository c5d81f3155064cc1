//! Random content of every type and on both sides of every threshold between encodings, made from a seed: the same
//! commands whatever the server answers, and without anything that depends on time.

mod collections;
mod streams;
mod strings;

use super::client::Client;

pub type Command = Vec<Vec<u8>>;

/// What random content to make.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    pub seed: u64,
    pub keys: usize,
    pub thresholds: Thresholds,
    /// Whether fields of hashes get expiries, for servers that know them.
    pub field_expiries: bool,
}

/// Where encodings change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thresholds {
    /// As servers have them by default: some collections have hundreds of elements.
    Default,
    /// Small ones, which [`Population::fill`] sets: each key is small, and many fit into a small file.
    Small,
}

/// A configuration for [`Thresholds::Small`]. (Redis 7.0 has no listpacks of sets, and does not know the settings for them.)
pub const SMALL_THRESHOLDS: [(&str, &str); 11] = [
    ("hash-max-listpack-entries", "16"),
    ("hash-max-listpack-value", "24"),
    ("list-max-listpack-size", "8"),
    ("set-max-intset-entries", "16"),
    ("set-max-listpack-entries", "16"),
    ("set-max-listpack-value", "24"),
    ("zset-max-listpack-entries", "16"),
    ("zset-max-listpack-value", "24"),
    ("stream-node-max-entries", "8"),
    ("stream-node-max-bytes", "1024"),
    ("hll-sparse-max-bytes", "200"),
];

/// Commands sent before their replies are read.
const COMMANDS_AT_ONCE: usize = 64;
/// Arguments of one command.
const ARGUMENTS: usize = 500;
/// The year 2100: the first moment at which something expires.
const FAR_FUTURE_MS: u64 = 4_102_444_800_000;
/// Databases that get keys, and how often.
const DATABASES: [usize; 5] = [0, 0, 1, 9, 15];

impl Population {
    pub fn new(seed: u64, keys: usize) -> Self {
        Self { seed, keys, thresholds: Thresholds::Small, field_expiries: false }
    }

    /// The commands that make the content in an empty server.
    pub fn commands(&self) -> Vec<Command> {
        let mut maker = Maker {
            rng: fastrand::Rng::with_seed(self.seed),
            population: *self,
            database: 0,
            number: 0,
            commands: Vec::new(),
        };
        for number in 0..self.keys {
            maker.number = number;
            maker.key();
        }
        maker.run(&[b"SELECT", b"0"]);
        maker.commands
    }

    /// Makes the content in an empty server; every command must succeed.
    pub fn fill(&self, client: &mut Client) {
        if self.thresholds == Thresholds::Small {
            for (name, value) in SMALL_THRESHOLDS {
                let reply = client.command(&format!("CONFIG SET {name} {value}"));
                assert!(!reply.is_error() || name.starts_with("set-max-listpack"), "{name}: {reply}");
            }
        }
        for commands in self.commands().chunks(COMMANDS_AT_ONCE) {
            let replies = client.pipeline(commands).expect("replies to the commands of a population");
            for (command, reply) in commands.iter().zip(replies) {
                let shown: Vec<String> =
                    command.iter().take(8).map(|word| word[..word.len().min(40)].escape_ascii().to_string()).collect();
                assert!(!reply.value.is_error(), "{self:?}: {}: {}", shown.join(" "), reply.value);
            }
        }
    }
}

/// Makes what the key of this name holds.
type Make = fn(&mut Maker, &[u8]);

/// Makes one key after the other.
struct Maker {
    rng: fastrand::Rng,
    population: Population,
    /// The one selected.
    database: usize,
    /// Of the key that is being made.
    number: usize,
    commands: Vec<Command>,
}

impl Maker {
    fn run(&mut self, words: &[&[u8]]) {
        self.commands.push(words.iter().map(|word| word.to_vec()).collect());
    }

    /// `head` with all the arguments, in as many commands as needed; `unit` of them belong together.
    fn run_with(&mut self, head: &[&[u8]], arguments: &[Vec<u8>], unit: usize) {
        for arguments in arguments.chunks(ARGUMENTS / unit * unit) {
            let words: Vec<&[u8]> = head.iter().copied().chain(arguments.iter().map(Vec::as_slice)).collect();
            self.run(&words);
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(..from.len())]
    }

    /// True this often in a hundred.
    fn percent(&mut self, percentage: u32) -> bool {
        self.rng.u32(..100) < percentage
    }

    fn is_small(&self) -> bool {
        self.population.thresholds == Thresholds::Small
    }

    /// A key of each kind in turn, in any database, one in three with an expiry.
    fn key(&mut self) {
        let database = self.pick(&DATABASES);
        if database != self.database {
            self.database = database;
            self.run(&[b"SELECT", database.to_string().as_bytes()]);
        }
        let kinds: [(&str, Make); 12] = [
            ("string", Self::string),
            ("list", Self::list),
            ("intset", Self::set_of_integers),
            ("set", Self::set),
            ("hash", Self::hash),
            ("zset", Self::zset),
            ("stream", Self::stream),
            ("number", Self::number),
            ("hll", Self::hyperloglog),
            ("made", Self::string_made_in_steps),
            ("hash", Self::hash),
            ("empty", Self::looks_empty),
        ];
        let (kind, make) = kinds[self.number % kinds.len()];
        let name = self.name(kind);
        make(self, &name);
        if self.percent(33) {
            let at = self.future();
            self.run(&[b"PEXPIREAT", &name, &at]);
        }
    }

    /// A name that no other key has. The first is empty.
    fn name(&mut self, kind: &str) -> Vec<u8> {
        let number = self.number;
        match self.rng.u32(..40) {
            _ if number == 0 => Vec::new(),
            0 => format!("{kind}:{}:{number}", "long".repeat(80)).into_bytes(),
            1..=3 => {
                let bytes = self.bytes(12);
                [format!("{number}:").as_bytes(), &bytes].concat()
            }
            4..=6 => (1_000_000 + number).to_string().into_bytes(),
            _ => format!("{kind}:{number}").into_bytes(),
        }
    }

    /// A moment far away, often to the second.
    fn future(&mut self) -> Vec<u8> {
        let unit = self.pick(&[1, 1_000]);
        let after = self.rng.u64(..100_000_000);
        ((FAR_FUTURE_MS + after) / unit * unit).to_string().into_bytes()
    }
}
