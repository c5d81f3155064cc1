//! The libraries of functions: their code, which is data like keys are.

use crate::base::quoting;

/// The code of each library, in the order in which they came. What was made of it elsewhere is out of date when
/// [`Libraries::version`] has changed.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    codes: Vec<Vec<u8>>,
    version: u64,
}

impl PartialEq for Libraries {
    fn eq(&self, other: &Self) -> bool {
        self.codes == other.codes
    }
}

impl Libraries {
    /// The code of each.
    pub fn codes(&self) -> &[Vec<u8>] {
        &self.codes
    }

    /// Changes with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The code of the library with this name.
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        self.codes.iter().find(|code| name_of(code).as_deref() == Some(name)).map(Vec::as_slice)
    }

    /// Puts a library in the place of the one with its name, or behind all others.
    pub fn put(&mut self, code: Vec<u8>) {
        self.version += 1;
        let name = name_of(&code);
        match self.codes.iter_mut().find(|known| name.is_some() && name_of(known) == name) {
            Some(known) => *known = code,
            None => self.codes.push(code),
        }
    }

    /// Takes the library with this name away; answers whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(at) = self.codes.iter().position(|code| name_of(code).as_deref() == Some(name)) else { return false };
        self.codes.remove(at);
        self.version += 1;
        true
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.version += 1;
        self.codes.clear();
    }
}

/// The name that a library gives itself in its first line, `#!lua name=NAME`.
pub fn name_of(code: &[u8]) -> Option<Vec<u8>> {
    let line = code.split(|byte| *byte == b'\n').next()?;
    let words = quoting::split(line)?;
    words.iter().find_map(|word| word.strip_prefix(b"name=")).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_takes_the_place_of_the_one_with_its_name() {
        let mut libraries = Libraries::default();
        libraries.put(b"#!lua name=a\n1".to_vec());
        libraries.put(b"#!lua name=b\n2".to_vec());
        let version = libraries.version();
        libraries.put(b"#!lua name=a\n3".to_vec());
        assert_ne!(libraries.version(), version);
        assert_eq!(libraries.codes(), [b"#!lua name=a\n3".to_vec(), b"#!lua name=b\n2".to_vec()]);
        assert_eq!(libraries.find(b"b"), Some(&b"#!lua name=b\n2"[..]));
        assert!(libraries.remove(b"a") && !libraries.remove(b"a"));
        assert_eq!(libraries.len(), 1);
    }
}
