//! Commands on positions.

use super::Generator;
use super::values::Use;

/// Corners of the map, and what is no position.
const ODD_POSITIONS: &[(&str, &str)] = &[
    ("180", "85.05112878"),
    ("-180", "-85.05112878"),
    ("180", "0"),
    ("-180", "0"),
    ("0", "0"),
    ("0", "85"),
    ("0", "-85"),
    ("180.1", "0"),
    ("0", "85.06"),
    ("-181", "-86"),
    ("x", "1"),
    ("1", ""),
    ("inf", "0"),
    ("nan", "0"),
    ("1e308", "0"),
];

impl Generator {
    pub(super) fn geo_command(&mut self) -> Vec<Vec<u8>> {
        if self.percent(60) {
            // What comes next should find something.
            let mut line = vec![b"GEOADD".to_vec(), b"g0".to_vec()];
            for place in 0..12 {
                line.extend(self.position_nearby());
                line.push(format!("p{place}").into());
            }
            let connection = self.connection();
            self.push(connection, line);
        }
        match self.rng.u32(0..100) {
            0..=19 => self.geoadd(),
            20..=29 => {
                let mut arguments = vec![self.geo_key(), self.place(), self.place()];
                if self.percent(60) {
                    arguments.push(self.unit());
                }
                self.line("GEODIST", arguments)
            }
            30..=39 => {
                let name = self.pick(&["GEOHASH", "GEOPOS"]);
                let mut arguments = vec![self.geo_key()];
                for _ in 0..self.rng.usize(0..4) {
                    arguments.push(self.place());
                }
                self.line(name, arguments)
            }
            40..=69 => self.geosearch(),
            _ => self.georadius(),
        }
    }

    /// Positions have keys of their own; now and then scores that are none are taken for some.
    fn geo_key(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=4 => self.key(Use::Zset),
            5..=14 => b"g1".to_vec(),
            _ => b"g0".to_vec(),
        }
    }

    fn place(&mut self) -> Vec<u8> {
        if self.percent(5) { self.zset_member() } else { format!("p{}", self.rng.u32(0..12)).into() }
    }

    fn unit(&mut self) -> Vec<u8> {
        let unit = self.pick(&["m", "km", "km", "km", "ft", "mi"]);
        if self.percent(3) { self.pick(&["", "x", "mm"]).into() } else { self.case(unit) }
    }

    fn map_position(&mut self) -> [Vec<u8>; 2] {
        if self.percent(2) {
            let (longitude, latitude) = self.pick(ODD_POSITIONS);
            return [longitude.into(), latitude.into()];
        }
        self.position_nearby()
    }

    /// A position near one of a few others, so that searches find something, and on no spot twice.
    fn position_nearby(&mut self) -> [Vec<u8>; 2] {
        let (longitude, latitude) = self.pick(&[
            (15.0, 37.0),
            (15.0, 37.0),
            (15.0, 37.0),
            (179.5, -16.0),
            (-179.5, -16.0),
            (20.0, 79.0),
            (-60.0, -81.0),
        ]);
        let spread = self.pick(&[0.01, 1.0, 5.0, 40.0]);
        let longitude: f64 = longitude + (self.rng.f64() - 0.5) * spread;
        let latitude: f64 = latitude + (self.rng.f64() - 0.5) * spread;
        let longitude = if longitude.abs() > 180.0 { longitude - 360.0 * longitude.signum() } else { longitude };
        [format!("{longitude:.9}").into(), format!("{:.9}", latitude.clamp(-85.0, 85.0)).into()]
    }

    fn geoadd(&mut self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.geo_key()];
        for _ in 0..self.pick(&[0, 0, 0, 0, 1, 2]) {
            let option = self.pick(&["NX", "XX", "CH", "CH", "CH", "GT"]);
            arguments.push(self.case(option));
        }
        let count = self.pick(&[1, 2, 5, 12]);
        for _ in 0..count {
            arguments.extend(self.map_position());
            arguments.push(self.place());
        }
        self.line("GEOADD", arguments)
    }

    fn length(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=2 => self.score(),
            3..=9 => b"0".to_vec(),
            _ => self.pick(&["1", "10.5", "100", "300", "300", "1000", "1000", "5000", "20000", "100000"]).into(),
        }
    }

    fn geo_options(&mut self) -> Vec<Vec<Vec<u8>>> {
        let mut options = Vec::new();
        for name in ["WITHDIST", "WITHHASH", "WITHCOORD"] {
            if self.percent(35) {
                options.push(vec![self.case(name)]);
            }
        }
        self.order_options(&mut options);
        options
    }

    fn order_options(&mut self, options: &mut Vec<Vec<Vec<u8>>>) {
        if self.percent(50) {
            let order = self.pick(&["ASC", "DESC"]);
            options.push(vec![self.case(order)]);
        }
        if self.percent(40) {
            let count = if self.percent(94) { self.pick(&["1", "2", "3", "5"]).into() } else { self.integer() };
            options.push(vec![self.case("COUNT"), count]);
            if self.percent(40) {
                options.push(vec![self.case("ANY")]);
            }
        } else if self.percent(2) {
            options.push(vec![self.case("ANY")]);
        }
    }

    fn geosearch(&mut self) -> Vec<Vec<u8>> {
        let stores = self.percent(30);
        let mut arguments = if stores { vec![self.geo_target()] } else { vec![] };
        // Which of those on one spot is stored is chance.
        arguments.push(if stores { b"g0".to_vec() } else { self.geo_key() });
        let mut options = Vec::new();
        if stores && self.percent(96) {
            self.order_options(&mut options);
        } else {
            options = self.geo_options();
        }
        if self.percent(50) {
            options.push(vec![self.case("FROMMEMBER"), self.place()]);
        } else {
            let [longitude, latitude] = self.map_position();
            options.push(vec![self.case("FROMLONLAT"), longitude, latitude]);
        }
        if self.percent(50) {
            options.push(vec![self.case("BYRADIUS"), self.length(), self.unit()]);
        } else {
            options.push(vec![self.case("BYBOX"), self.length(), self.length(), self.unit()]);
        }
        if stores && self.percent(40) || self.percent(1) {
            options.push(vec![self.case("STOREDIST")]);
        }
        if self.percent(3) {
            let at = self.rng.usize(0..options.len());
            options.remove(at);
        }
        self.rng.shuffle(&mut options);
        arguments.extend(options.concat());
        self.line(if stores { "GEOSEARCHSTORE" } else { "GEOSEARCH" }, arguments)
    }

    fn geo_target(&mut self) -> Vec<u8> {
        self.pick(&["gd", "gd", "gd", "gd", "gd", "z0", "k0"]).into()
    }

    fn georadius(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&["GEORADIUS", "GEORADIUS_RO", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]);
        let stores = self.percent(if name.ends_with("_RO") { 2 } else { 40 });
        let mut arguments = vec![if stores { b"g0".to_vec() } else { self.geo_key() }];
        if name.contains("BYMEMBER") {
            arguments.push(self.place());
        } else {
            arguments.extend(self.map_position());
        }
        arguments.extend([self.length(), self.unit()]);
        let mut options = Vec::new();
        if stores && self.percent(96) {
            self.order_options(&mut options);
        } else {
            options = self.geo_options();
        }
        if stores {
            let word = self.pick(&["STORE", "STOREDIST"]);
            options.push(vec![self.case(word), self.geo_target()]);
        }
        self.rng.shuffle(&mut options);
        arguments.extend(options.concat());
        self.line(name, arguments)
    }
}
