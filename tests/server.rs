//! The server as a process: starting, stopping, refusing to start, and clients that behave badly.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::oracle::Oracle;
use support::process::{Program, Server};
use support::reply::Value;

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

/// Runs a server that is expected to end by itself.
fn run_to_its_end(program: &Program, arguments: &[&str]) -> Output {
    Command::new(&program.path).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_second_server_on_the_same_data_is_refused_with_the_holder() {
    let server = Program::ackd().start();
    let output =
        run_to_its_end(&Program::ackd(), &["--dir", server.dir().to_str().unwrap(), "--ackd-port-file", "port"]);
    assert!(!output.status.success());
    assert!(text(&output).contains(&format!("process {}", server.pid())), "{}", text(&output));
}

#[test]
fn a_start_beside_the_data_of_redis_is_refused_unless_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dump.rdb"), b"REDIS0011").unwrap();
    let place = dir.path().to_str().unwrap();
    let output = run_to_its_end(&Program::ackd(), &["--dir", place, "--ackd-port-file", "port"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("dump.rdb") && text(&output).contains("ackd import"), "{}", text(&output));
    assert!(!text(&output).contains("may be old"), "{}", text(&output));
    assert!(!dir.path().join("ackd-data").exists(), "a refused start leaves nothing behind");

    // With both there, one may be much older than the other: none is named without saying so.
    let aof = dir.path().join("appendonlydir");
    std::fs::create_dir(&aof).unwrap();
    let output = run_to_its_end(&Program::ackd(), &["--dir", place, "--ackd-port-file", "port"]);
    let why = text(&output);
    let (command, old) = (format!("'ackd import {} ", aof.display()), format!("{place}/dump.rdb may be old"));
    assert!(why.contains(&command) && why.contains(&old), "{why}");
}

#[test]
fn a_directory_that_lost_its_manifest_is_no_empty_one_beside_the_data_of_redis() {
    let mut server = Program::ackd().start();
    assert_eq!(server.client().command("SET key value"), ok());
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(10)).success());
    std::fs::remove_file(server.dir().join("ackd-data/MANIFEST")).unwrap();
    std::fs::write(server.dir().join("dump.rdb"), b"REDIS0011").unwrap();
    let output =
        run_to_its_end(&Program::ackd(), &["--dir", server.dir().to_str().unwrap(), "--ackd-port-file", "port"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("MANIFEST") && !text(&output).contains("dump.rdb"), "{}", text(&output));
}

#[test]
fn a_server_that_is_to_listen_nowhere_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    for nowhere in [["--port", "0"], ["--bind", ""]] {
        let output = run_to_its_end(&Program::ackd(), &[&["--dir", place], &nowhere[..]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("Configured to not listen anywhere, exiting."), "{}", text(&output));
    }
    let output = run_to_its_end(&Program::ackd(), &["--dir", "/nonexistent/folder"]);
    assert!(text(&output).contains("Can't chdir to '/nonexistent/folder'"), "{}", text(&output));
}

/// A connection to a unix socket that is about to be made.
fn connect_unix(path: &Path) -> UnixStream {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{}: {error}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a process when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn relative_paths_are_relative_to_the_directory_of_the_data_and_port_0_is_no_tcp() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let child = Command::new(Program::ackd().path)
        .args(["--dir", "data", "--port", "0", "--unixsocket", "a.sock", "--pidfile", "a.pid", "--logfile", "a.log"])
        .current_dir(dir.path())
        .spawn()
        .unwrap();
    let server = Killed(child);
    let mut stream = connect_unix(&data.join("a.sock"));
    stream.write_all(b"CONFIG GET port\r\nCONFIG GET unixsocket\r\nQUIT\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "*2\r\n$4\r\nport\r\n$1\r\n0\r\n*2\r\n$10\r\nunixsocket\r\n$6\r\na.sock\r\n+OK\r\n");
    assert_eq!(std::fs::read_to_string(data.join("a.pid")).unwrap(), format!("{}\n", server.0.id()));
    assert!(std::fs::read_to_string(data.join("a.log")).unwrap().contains("is starting"));
}

#[test]
fn a_log_that_needs_more_databases_is_told_as_such() {
    let mut server = Program::ackd().with("databases", "32").start();
    let mut client = server.client();
    client.command("SELECT 20");
    assert_eq!(client.command("SET key value"), ok());
    server.kill();
    server.set("databases", "16");
    let why = server.try_start().expect_err("there are 16 databases");
    assert!(why.contains("refusing to start") && why.contains("start with `databases 21`"), "{why}");
    server.set("databases", "21");
    server.start();
    let mut client = server.client();
    client.command("SELECT 20");
    assert_eq!(client.command("GET key").text().unwrap(), "value");
}

#[test]
fn damage_refuses_the_start_with_code_three_and_changes_nothing() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    for n in 0..50 {
        assert_eq!(client.command(&format!("SET key:{n} {}", "v".repeat(200))), ok());
    }
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(10)).success());
    let segment = server.dir().join("ackd-data/log/00000000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let place = bytes.windows(6).position(|window| window == b"key:20").unwrap();
    bytes[place] ^= 0x20;
    std::fs::write(&segment, &bytes).unwrap();
    let output =
        run_to_its_end(&Program::ackd(), &["--dir", server.dir().to_str().unwrap(), "--ackd-port-file", "port"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("00000000000000000001.seg at byte"), "{}", text(&output));
    assert!(text(&output).contains("`ackd repair` would keep"));
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}

#[test]
fn the_policy_changes_while_clients_write() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    for (round, policy) in ["everysec", "no", "always", "everysec", "always"].iter().enumerate() {
        assert_eq!(client.command(&format!("CONFIG SET appendfsync {policy}")), ok());
        assert_eq!(client.command(&format!("SET key:{round} {policy}")), ok());
    }
    server.kill();
    server.start();
    assert_eq!(server.client().command("DBSIZE"), Value::Integer(5));
}

#[test]
fn a_connection_chooses_its_own_durability() {
    let server = Program::ackd().with("appendfsync", "everysec").start();
    let mut client = server.client();
    let level = |client: &mut Client| client.command("CLIENT DURABILITY").text().unwrap();
    assert_eq!(level(&mut client), "os");
    assert_eq!(client.command("CLIENT DURABILITY disk"), ok());
    assert_eq!(level(&mut client), "disk");
    assert_eq!(client.command("SET key value"), ok());
    let offsets = client.command("INFO persistence").text().unwrap();
    let offset = |name: &str| {
        let line = offsets.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {offsets}"));
        line.split(':').nth(1).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(
        offset("log_durable_offset"),
        offset("log_executed_offset"),
        "more than the server's level was really waited for"
    );
    assert_eq!(client.command("CLIENT DURABILITY memory"), ok());
    assert_eq!(client.command("WAITAOF 1 0 0"), Value::Array(vec![Value::Integer(1), Value::Integer(0)]));
}

#[test]
fn listening_follows_port_and_bind() {
    let server = Program::ackd().start();
    let mut client = server.client();
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let refused = client.command(&format!("CONFIG SET port {taken_port}"));
    assert!(refused.text().is_none_or(|_| refused.is_error()), "{refused:?}");
    assert_eq!(client.command("PING").text().unwrap(), "PONG");
    drop(taken);
    assert_eq!(client.command(&format!("CONFIG SET port {taken_port}")), ok());
    let mut second = Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, taken_port))).unwrap();
    assert_eq!(second.command("PING").text().unwrap(), "PONG");
    assert_eq!(client.command("PING").text().unwrap(), "PONG", "connections outlive the port that they came by");
    until_closed(server.address());
}

fn until_closed(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "{address} is still open");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn port_0_and_an_empty_bind_end_tcp_until_there_is_an_address_again() {
    let server = Program::ackd().start();
    let mut client = server.client();
    let port = server.port().to_string();
    assert_eq!(client.command("CONFIG GET port").elements().unwrap()[1].text().unwrap(), port);
    for (name, none, again) in [("bind", "", "127.0.0.1"), ("port", "0", &port)] {
        assert_eq!(client.call(&["CONFIG", "SET", name, none]).unwrap().value, ok());
        assert_eq!(client.command(&format!("CONFIG GET {name}")).elements().unwrap()[1].text().unwrap(), none);
        until_closed(server.address());
        assert!(client.command("INFO server").text().unwrap().contains("tcp_port:0\r\n"));
        assert_eq!(client.call(&["CONFIG", "SET", name, again]).unwrap().value, ok());
        assert_eq!(server.client().command("PING").text().unwrap(), "PONG");
    }
}

#[test]
fn a_unix_socket_serves_too_and_goes_with_the_server() {
    let mut server = Program::ackd().with("unixsocket", "ackd.sock").with("unixsocketperm", "700").start();
    let path = server.dir().join("ackd.sock");
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"SET key value\r\nGET key\r\n").unwrap();
    let mut reply = [0; 16];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+OK\r\n$5\r\nvalue\r\n");
    server.signal(libc::SIGINT);
    assert!(server.wait_for_exit(Duration::from_secs(10)).success());
    assert!(!path.exists());
}

#[test]
fn a_refused_start_leaves_socket_and_pid_file_to_the_server_that_has_them() {
    let mut server = Program::ackd().with("unixsocket", "ackd.sock").with("pidfile", "ackd.pid").start();
    let (socket, pid_file) = (server.dir().join("ackd.sock"), server.dir().join("ackd.pid"));
    let output = Command::new(Program::ackd().path)
        .args(["--unixsocket", "ackd.sock", "--pidfile", "ackd.pid", "--port", "0"])
        .current_dir(server.dir())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("is in use by another server"), "{}", text(&output));
    assert_eq!(std::fs::read_to_string(&pid_file).unwrap().trim(), server.pid().to_string());
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
    // By now they are another's: who ends later must not take them away.
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, b"another's").unwrap();
    std::fs::write(&pid_file, b"1\n").unwrap();
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(10)).success());
    assert!(socket.exists() && pid_file.exists());
}

/// A server on a fixed port, started without waiting for anything.
fn spawn_on(port: u16, dir: &Path) -> Killed {
    let mut command = Command::new(Program::ackd().path);
    command.args(["--port", &port.to_string(), "--enable-debug-command", "yes"]).current_dir(dir);
    let output = File::options().create(true).append(true).open(dir.join("output")).unwrap();
    Killed(command.stdout(output).spawn().unwrap())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A connection to the server of this process id, once it serves.
fn client_of(port: u16, pid: u32, dir: &Path) -> Client {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Ok(mut client) = Client::connect((Ipv4Addr::LOCALHOST, port).into())
            && let Ok(reply) = client.call(&["INFO", "server"])
            && reply.value.text().is_some_and(|info| info.contains(&format!("process_id:{pid}\r\n")))
            && client.call(&["PING"]).is_ok_and(|reply| !reply.value.is_error())
        {
            return client;
        }
        let said = || std::fs::read_to_string(dir.join("output")).unwrap_or_default();
        assert!(Instant::now() < deadline, "process {pid} does not serve:\n{}", said());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn lock_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("ackd-data/LOCK")).unwrap().trim().to_owned()
}

#[test]
fn a_start_right_behind_a_kill_nine_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut server = spawn_on(port, dir.path());
    let mut client = client_of(port, server.0.id(), dir.path());
    // Memory that the system has to take back before it lets the lock go.
    assert_eq!(client.command("DEBUG POPULATE 100000 key 500"), ok());
    for round in 0..15 {
        assert_eq!(client.command(&format!("SET round {round}")), ok());
        // Nobody waits for the end of the old one before the new one is started.
        server.0.kill().unwrap();
        let next = spawn_on(port, dir.path());
        server.0.wait().unwrap();
        server = next;
        client = client_of(port, server.0.id(), dir.path());
        assert_eq!(client.command("GET round").text().unwrap(), round.to_string());
        assert_eq!(lock_of(dir.path()), server.0.id().to_string());
    }
}

#[test]
fn of_servers_that_are_started_at_once_one_serves_and_the_others_touch_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut servers: Vec<Killed> = (0..4).map(|_| spawn_on(port, dir.path())).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while servers.len() > 1 {
        assert!(Instant::now() < deadline, "several servers run on one directory");
        servers.retain_mut(|server| match server.0.try_wait().unwrap() {
            Some(status) => {
                assert_eq!(status.code(), Some(1));
                false
            }
            None => true,
        });
        std::thread::sleep(Duration::from_millis(2));
    }
    let holder = servers[0].0.id();
    let mut client = client_of(port, holder, dir.path());
    let lock = std::fs::read(dir.path().join("ackd-data/LOCK")).unwrap();
    let mut late = spawn_on(port, dir.path());
    assert_eq!(late.0.wait().unwrap().code(), Some(1));
    assert!(std::fs::read(dir.path().join("ackd-data/LOCK")).unwrap() == lock, "a refused start writes into LOCK");
    assert_eq!(lock_of(dir.path()), holder.to_string());
    assert_eq!(client.command("DEBUG RELOAD"), ok(), "the lock is kept while the data are loaded anew");
    assert_eq!(lock_of(dir.path()), holder.to_string());
    let said = std::fs::read_to_string(dir.path().join("output")).unwrap();
    assert_eq!(said.matches("is in use by another server").count(), 4, "{said}");
}

#[test]
fn an_optional_address_that_another_has_stops_the_start() {
    let Ok(taken) = std::net::TcpListener::bind("[::1]:0") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let place = dir.path().to_str().unwrap();
    let output = run_to_its_end(&Program::ackd(), &["--dir", place, "--port", &port, "--bind", "127.0.0.1", "-::1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("listening socket [::1]"), "{}", text(&output));
}

#[test]
fn debug_segfault_ends_the_process_at_the_first_call() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    assert_eq!(client.command("SET key value"), ok());
    client.send(&encode(&["DEBUG", "SEGFAULT"])).unwrap();
    assert_eq!(client.read_to_end().0, b"");
    assert_eq!(server.wait_for_exit(Duration::from_secs(10)).signal(), Some(libc::SIGSEGV));
    server.start();
    assert_eq!(server.client().command("GET key").text().unwrap(), "value");
}

/// The replication ids and the offset of the second one that INFO shows.
fn replication_ids(client: &mut Client) -> [String; 3] {
    let info = client.command("INFO replication").text().unwrap();
    ["master_replid:", "master_replid2:", "second_repl_offset:"]
        .map(|name| info.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned())
}

#[test]
fn a_new_replication_id_is_in_the_manifest_before_it_is_acknowledged_and_outlives_a_clean_shutdown() {
    let mut server = Program::ackd().start();
    server.client().command("SET key value");
    // A second history, which the new one makes forgotten as well.
    server.kill();
    server.start();
    let mut client = server.client();
    client.command("SET key other");
    let before = replication_ids(&mut client);
    assert_ne!(before[1], "0".repeat(40));
    assert_eq!(client.command("DEBUG CHANGE-REPL-ID"), ok());
    let manifest = std::fs::read_to_string(server.dir().join("ackd-data/MANIFEST")).unwrap();
    let after = replication_ids(&mut client);
    assert!(after[0] != before[0] && after[0].len() == 40);
    assert_eq!(after[1..], ["0".repeat(40), "-1".to_owned()]);
    let histories: Vec<&str> = manifest.lines().filter(|line| line.starts_with("history ")).collect();
    assert!(matches!(histories[..], [only] if only.starts_with(&format!("history {} ", after[0]))), "{manifest}");
    assert_eq!(client.command("SET key last"), ok());
    client.command("MULTI");
    client.command("DEBUG CHANGE-REPL-ID");
    let refused = client.command("EXEC");
    assert!(refused.elements().unwrap()[0].is_error(), "{refused}");
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(10)).success());
    server.start();
    let mut client = server.client();
    assert_eq!(replication_ids(&mut client), after);
    assert_eq!(client.command("GET key").text().unwrap(), "last");
    server.kill();
    server.start();
    assert_eq!(replication_ids(&mut server.client())[1], after[0], "valid up to what was recovered");
}

#[test]
fn shutdown_while_the_data_are_loaded_acts_at_once() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    for part in 0..20 {
        assert_eq!(client.command(&format!("DEBUG POPULATE 50000 part:{part} 100")), ok());
    }
    server.kill();
    let output_path = server.dir().join("loading.output");
    let output = File::create(&output_path).unwrap();
    let mut command = Command::new(Program::ackd().path);
    command.arg("server.conf").current_dir(server.dir()).stdout(output);
    let mut loading = Killed(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut client = loop {
        assert!(Instant::now() < deadline, "nobody listens");
        if let Some(Ok(client)) = server.written_address().map(Client::connect) {
            break client;
        }
    };
    assert!(client.command("PING").text().unwrap().starts_with("LOADING"), "too little to load for this machine");
    client.send(&encode(&["SHUTDOWN", "NOSAVE"])).unwrap();
    assert!(client.read_to_end().1);
    assert!(loading.0.wait().unwrap().success());
    let said = std::fs::read_to_string(&output_path).unwrap();
    assert!(said.contains("stopped while loading") && !said.contains("Ready to accept"), "{said}");
}

#[test]
fn the_end_of_a_terminal_does_not_end_the_server() {
    let mut server = Program::ackd().start();
    server.signal(libc::SIGHUP);
    assert_eq!(server.client().command("PING").text().unwrap(), "PONG");
    assert!(server.is_running());
}

#[test]
fn maxclients_grows_only_as_far_as_the_system_allows() {
    let server = Program::ackd().start();
    let limit = libc::rlimit { rlim_cur: 200, rlim_max: 300 };
    let pid = i32::try_from(server.pid()).unwrap();
    // SAFETY: `limit` is valid for the call, and the old limit is not asked for.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) }, 0);
    let mut client = server.client();
    assert_eq!(client.command("CONFIG SET maxclients 150"), ok());
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft >= 150, "{line}");
    let refused = client.command("CONFIG SET maxclients 1000000000").text().unwrap();
    assert!(
        refused.starts_with(
            "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to \
             handle the specified number of clients, try with "
        ),
        "{refused}"
    );
    assert_eq!(client.command("CONFIG GET maxclients").elements().unwrap()[1].text().unwrap(), "150");
}

#[test]
fn a_password_is_asked_for_and_large_requests_wait_for_it() {
    let server = Program::ackd().with("requirepass", "secret").start();
    let mut client = server.client();
    assert_eq!(client.command("GET key"), Value::Error(b"NOAUTH Authentication required.".to_vec()));
    assert!(client.command("AUTH wrong").is_error());
    assert_eq!(client.command("AUTH secret"), ok());
    while client.command("SET key value") != ok() {
        // A server that asks for a password cannot be asked whether it has loaded; it soon has.
    }
    let mut stranger = server.client();
    stranger.send(b"*2\r\n$3\r\nGET\r\n$20000\r\n").unwrap();
    let (said, closed) = stranger.read_to_end();
    assert_eq!(String::from_utf8_lossy(&said), "-ERR Protocol error: unauthenticated bulk length\r\n");
    assert!(closed);
}

/// The longest of some round trips of a well-behaved client.
fn longest_ping(server: &Server) -> Duration {
    let mut client = server.client();
    (0..50)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(client.command("PING").text().unwrap(), "PONG");
            start.elapsed()
        })
        .max()
        .unwrap()
}

fn resident_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn bad_neighbours_do_not_stall_the_others() {
    let server = Program::ackd().start();
    let mut client = server.client();
    assert_eq!(client.call(&["SET", "large", &"v".repeat(100_000)]).unwrap().value, ok());
    // One asks for 50 MB of replies and reads none of them.
    let mut slow = server.client();
    slow.send(&encode(&["GET", "large"]).repeat(500)).unwrap();
    // One sends half a command, one announces a large argument and sends nothing of it.
    let mut half = server.client();
    half.send(b"*3\r\n$3\r\nSET\r\n$3\r\nke").unwrap();
    let mut announced = server.client();
    announced.send(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$500000000\r\n").unwrap();
    assert!(longest_ping(&server) < Duration::from_secs(2));
    half.send(b"y\r\n$1\r\n1\r\n").unwrap();
    assert_eq!(half.receive().unwrap().value, ok());
    for _ in 0..500 {
        assert_eq!(slow.receive().unwrap().value, Value::Bulk(vec![b'v'; 100_000]));
    }
}

#[test]
fn a_large_argument_is_taken_while_others_are_served() {
    let megabytes = std::env::var("ACKD_BIG_MB").map_or(32, |mb| mb.parse::<usize>().unwrap());
    let mut server = Program::ackd().start();
    let value = vec![b'v'; megabytes << 20];
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(120)).unwrap();
    let writer = {
        let mut large = server.client();
        large.set_timeout(Duration::from_secs(120)).unwrap();
        let request = encode(&[b"SET", b"large" as &[u8], &value]);
        std::thread::spawn(move || {
            large.send(&request).unwrap();
            large.receive().unwrap().value
        })
    };
    while !writer.is_finished() {
        assert_eq!(client.command("PING").text().unwrap(), "PONG");
    }
    assert_eq!(writer.join().unwrap(), ok());
    server.kill();
    server.start();
    assert_eq!(server.client().command("STRLEN large"), Value::Integer(value.len() as i64));
}

#[test]
fn idle_clients_cost_little() {
    let wanted: usize = std::env::var("ACKD_IDLE_CLIENTS").map_or(400, |clients| clients.parse().unwrap());
    let server = Program::ackd().with("maxclients", &(wanted + 10).to_string()).start();
    let before = resident_bytes(&server);
    let mut clients: Vec<Client> = (0..wanted).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.command("PING").text().unwrap(), "PONG");
    }
    let per_client = (resident_bytes(&server).saturating_sub(before)) / wanted as u64;
    println!("{wanted} idle clients: {per_client} bytes each");
    assert!(per_client < 16 * 1024, "{per_client} bytes an idle client");
    assert!(longest_ping(&server) < Duration::from_secs(2));
    let mut surplus: Vec<Client> = (0..11).map(|_| server.client()).collect();
    let (said, _) = surplus.last_mut().unwrap().read_to_end();
    assert_eq!(String::from_utf8_lossy(&said), "-ERR max number of clients reached\r\n");
}

#[test]
fn reload_from_the_log_keeps_everything() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for n in 0..20 {
        client.command(&format!("SET key:{n} {n} PX 10000000"));
    }
    let digest = client.command("DEBUG DIGEST");
    assert_eq!(client.command("DEBUG RELOAD"), ok());
    assert_eq!(client.command("DEBUG DIGEST"), digest);
    assert_eq!(client.command("DEBUG LOADAOF"), ok());
    assert_eq!(client.command("DEBUG DIGEST"), digest);
    assert_eq!(client.command("SET more 1"), ok());
}

#[test]
fn a_reload_inside_a_transaction_loads_what_it_has_written() {
    let server = Program::ackd().start();
    let mut client = server.client();
    let mut watching = server.client();
    assert_eq!(client.command("SET key 1"), ok());
    assert_eq!(watching.command("WATCH key"), ok());
    for line in ["MULTI", "SET key 2", "DEBUG RELOAD", "GET key"] {
        assert!(!client.command(line).is_error());
    }
    assert_eq!(client.command("EXEC"), Value::Array(vec![ok(), ok(), Value::Bulk(b"2".to_vec())]));
    assert_eq!(client.command("GET key"), Value::Bulk(b"2".to_vec()), "no -LOADING");
    assert_eq!(watching.command("MULTI"), ok());
    assert_eq!(watching.command("EXEC"), Value::NullArray);
}

#[test]
fn the_time_that_the_log_takes_is_measured() {
    let server = Program::ackd().start();
    let mut client = server.client();
    let mut spent = |section: &str| {
        for n in 0..100 {
            assert_eq!(client.command(&format!("SET key:{n} {n}")), ok());
        }
        let text = client.command(&format!("INFO {section}")).text().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("eventloop_duration_aof_sum:"));
        line.map(|usec| usec.parse::<u64>().unwrap())
    };
    let (first, second) = (spent("debug").unwrap(), spent("debug").unwrap());
    assert!(first > 0 && second > first, "{first} {second}");
    assert_eq!(spent("everything"), None);
}

/// Fields of CLIENT INFO that say what a connection has in hand.
fn in_hand(server: &Server) -> Vec<String> {
    let fields = |text: String| {
        let kept = ["multi=", "qbuf=", "argv-mem=", "multi-mem=", "obl=", "oll=", "omem=", "events="];
        let fields = text.split_whitespace().filter(|field| kept.iter().any(|start| field.starts_with(start)));
        fields.collect::<Vec<_>>().join(" ")
    };
    let mut client = server.client();
    let mut lines = vec![fields(client.command("CLIENT INFO").text().unwrap())];
    lines.push(fields(client.command("CLIENT LIST").text().unwrap()));
    for line in ["MULTI", "CLIENT INFO", "PING hello"] {
        assert!(!client.command(line).is_error());
    }
    lines.push(fields(client.command("EXEC").elements().unwrap()[0].text().unwrap()));
    lines
}

#[test]
fn client_info_counts_the_request_in_hand_as_redis_does() {
    let ours = in_hand(&Program::ackd().start());
    assert_eq!(ours[0], "multi=-1 qbuf=26 argv-mem=10 multi-mem=0 obl=0 oll=0 omem=0 events=r");
    if let Some(oracle) = Oracle::Redis7.program() {
        assert_eq!(ours, in_hand(&oracle.start()));
    }
}
