//! The names of every object of a repository: see "Layout" in `docs/format.md`.

use crate::id::{BackupId, ClusterId, TimelineId};
use crate::manifest::Blake3;
use crate::model::{BackupKind, Window};
use crate::{Error, Key, Result, Timestamp};

/// The folder of all backups.
pub const BACKUPS: &str = "backups/";
/// The folder of the catalogue.
pub const CATALOGUE: &str = "catalogue/";
/// The folder of registered clusters.
pub const CLUSTERS: &str = "clusters/";
/// The folder of condemned lists.
pub const CONDEMNED: &str = "condemned/";
/// The folder of shared content.
pub const CONTENT: &str = "content/";
/// The folder of wrapped keys.
pub const KEYS: &str = "keys/";
/// The folder of leases.
pub const LEASES: &str = "leases/";

/// Escaped text longer than this is cut and told apart by a hash, so that it fits into one segment of a name.
const LONGEST: usize = 160;

/// `strongroom.json`: the object that makes a folder a repository.
///
/// # Errors
/// None in practice; so for all names here that hold nothing from outside.
pub fn repository() -> Result<Key> {
    Key::new("strongroom.json")
}

/// `clusters/<cluster>/`: the folder of a cluster's registrations, numbered.
#[must_use]
pub fn cluster_folder(id: ClusterId) -> String {
    format!("{CLUSTERS}{id}/")
}

/// `logs/<cluster>/<node>/`: the folder of a node's archived commit log.
#[must_use]
pub fn logs(cluster: ClusterId, node: &str) -> String {
    format!("logs/{cluster}/{}/", segment(node))
}

/// Any text as one segment of a name: escaped, and if long cut and told apart by a hash.
#[must_use]
pub fn segment(text: &str) -> String {
    let escaped = Key::escape(text);
    if escaped.len() <= LONGEST {
        return escaped;
    }
    // Escaped text is ASCII, so any cut is a character's edge.
    format!("{}~{}", &escaped[..LONGEST - 33], &Blake3::of(text.as_bytes()).to_string()[..32])
}

/// The folder of one backup: `backups/<chain>/<from>-<until>-<kind>-<id>/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupFolder(String);

/// What the name of a backup's folder tells without reading anything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupName {
    /// `None` for what starts a chain.
    pub from: Option<Timestamp>,
    /// As in the manifest.
    pub until: Timestamp,
    /// As in the manifest.
    pub kind: BackupKind,
    /// As in the manifest.
    pub backup: BackupId,
}

/// Digits of a moment in a name: enough for [`Timestamp::MAX`], so that names sort as moments do.
const DIGITS: usize = 18;

impl BackupFolder {
    /// The folder of a backup. Chain = cluster, part and timeline.
    ///
    /// # Errors
    /// `Invalid` when the window lies before 1970 or after 9999, since names would not sort.
    pub fn new(
        cluster: ClusterId,
        part: &str,
        timeline: TimelineId,
        window: &Window,
        kind: BackupKind,
        backup: BackupId,
    ) -> Result<Self> {
        let from = if kind.starts_a_chain() { Timestamp::EPOCH } else { window.from.unwrap_or(Timestamp::EPOCH) };
        for moment in [from, window.until] {
            if !(Timestamp::EPOCH..=Timestamp::MAX).contains(&moment) {
                return Err(Error::invalid(format!("a backup's window can't have an edge at {moment}"))
                    .hint("check the cluster's clocks: moments between 1970 and 9999 are possible"));
            }
        }
        let (from, until) = (from.micros(), window.until.micros());
        let part = segment(part);
        Ok(Self(format!("{BACKUPS}{cluster},{part},{timeline}/{from:0DIGITS$}-{until:0DIGITS$}-{kind}-{backup}/")))
    }

    /// The folder in which `key` lies, if it lies in one.
    #[must_use]
    pub fn of(key: &Key) -> Option<Self> {
        let mut parts = key.as_str().splitn(4, '/');
        let (backups, chain, name, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if backups != "backups" || rest.is_empty() {
            return None;
        }
        let folder = Self(format!("{backups}/{chain}/{name}/"));
        folder.name().map(|_| folder)
    }

    /// The folder of that name, as [`BackupFolder::prefix`] gave it.
    ///
    /// # Errors
    /// `Corrupt` when it is no such name.
    pub fn parse(prefix: &str) -> Result<Self> {
        Key::new(format!("{prefix}x"))
            .ok()
            .and_then(|key| Self::of(&key))
            .filter(|folder| folder.0 == prefix)
            .ok_or_else(|| Error::corrupt(format!("'{}' is no backup's folder", prefix.escape_debug())))
    }

    /// What its name tells; `None` is impossible for a folder made by [`BackupFolder::new`].
    #[must_use]
    pub fn name(&self) -> Option<BackupName> {
        let name = self.0.trim_end_matches('/').rsplit_once('/')?.1;
        let (from, rest) = moment(name)?;
        let (until, rest) = moment(rest)?;
        let (kind, id) = rest.rsplit_once('-')?;
        let kind = [BackupKind::Base, BackupKind::Incremental, BackupKind::Synthetic, BackupKind::LogSegment]
            .into_iter()
            .find(|known| known.as_str() == kind)?;
        let backup = id.parse().ok().filter(|backup: &BackupId| backup.to_string() == id)?;
        Some(BackupName { from: (!kind.starts_a_chain()).then_some(from), until, kind, backup })
    }

    /// `backups/<chain>/`: the folder of all backups of its cluster, part and timeline.
    #[must_use]
    pub fn chain(&self) -> &str {
        let end = self.0.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
        &self.0[..end]
    }

    /// Its name with the `/` at the end: what to list.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// The commit mark.
    ///
    /// # Errors
    /// None in practice.
    pub fn manifest(&self) -> Result<Key> {
        Key::new(format!("{}manifest.json", self.0))
    }

    /// The list of pieces. It carries a nonce, since a backup that is resumed writes its list anew.
    ///
    /// # Errors
    /// None in practice.
    pub fn pieces(&self, nonce: [u8; 8]) -> Result<Key> {
        Key::new(format!("{}pieces.{}", self.0, super::document::hex(&nonce)))
    }

    /// The names of shared content, with a nonce likewise.
    ///
    /// # Errors
    /// None in practice.
    pub fn shared(&self, nonce: [u8; 8]) -> Result<Key> {
        Key::new(format!("{}shared.{}", self.0, super::document::hex(&nonce)))
    }

    /// `data/<piece>.<nnn>`: a part of a piece, numbered from 0.
    ///
    /// # Errors
    /// None in practice.
    pub fn data(&self, piece: &str, part: u32) -> Result<Key> {
        Key::new(format!("{}data/{}.{part:03}", self.0, segment(piece)))
    }
}

/// Whether `key` is the commit mark of a backup.
#[must_use]
pub fn is_manifest(key: &Key) -> bool {
    BackupFolder::of(key).is_some_and(|folder| key.as_str()[folder.0.len()..] == *"manifest.json")
}

fn moment(text: &str) -> Option<(Timestamp, &str)> {
    let (digits, rest) = text.split_at_checked(DIGITS)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((Timestamp::from_micros(digits.parse().ok()?), rest.strip_prefix('-')?))
}

/// `content/<xx>/`: where the shared content of this hash lies.
#[must_use]
pub fn content_folder(hash: &Blake3) -> String {
    format!("{CONTENT}{}/", &hash.to_string()[..2])
}

/// `content/<xx>/<hash>.<nonce>`: shared content. The nonce makes every upload another name, so a name that a prune
/// deleted never comes back.
///
/// # Errors
/// None in practice.
pub fn content(hash: &Blake3, nonce: [u8; 8]) -> Result<Key> {
    Key::new(format!("{}{hash}.{}", content_folder(hash), super::document::hex(&nonce)))
}

/// The hash in the name of shared content; `None` for any other name.
#[must_use]
pub fn content_hash(key: &Key) -> Option<Blake3> {
    let (folder, name) = key.as_str().strip_prefix(CONTENT)?.split_once('/')?;
    let (hash, nonce) = name.split_once('.')?;
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hash.len() != 64 || nonce.len() != 16 || !hash.bytes().all(plain) || !nonce.bytes().all(plain) {
        return None;
    }
    if !hash.starts_with(folder) || folder.len() != 2 {
        return None;
    }
    Blake3::try_from(hash.to_owned()).ok()
}

/// `<folder><number>`, the number in 12 digits, so that names sort as numbers do.
///
/// # Errors
/// None in practice.
pub fn numbered(folder: &str, number: u64) -> Result<Key> {
    Key::new(format!("{folder}{number:012}"))
}

/// `catalogue/<seq>.snapshot`: the fold of all segments up to and with `seq`.
///
/// # Errors
/// None in practice.
pub fn snapshot(seq: u64) -> Result<Key> {
    Key::new(format!("{CATALOGUE}{seq:012}.snapshot"))
}

/// `condemned/<seq>.done`: the list `seq` was worked off.
///
/// # Errors
/// None in practice.
pub fn condemned_done(seq: u64) -> Result<Key> {
    Key::new(format!("{CONDEMNED}{seq:012}.done"))
}

/// `leases/<name>/`: the folder of the epochs of a lease.
#[must_use]
pub fn lease_folder(name: &str) -> String {
    format!("{LEASES}{}/", segment(name))
}

/// The number and what follows it (`""`, `".snapshot"`) in the last segment of a numbered name.
#[must_use]
pub fn number_of(key: &Key) -> Option<(u64, &str)> {
    let name = key.name();
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    if digits < 12 {
        return None;
    }
    Some((name[..digits].parse().ok()?, &name[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(part: &str, from: Option<i64>, until: i64, kind: BackupKind) -> BackupFolder {
        let at = Timestamp::from_micros;
        let window = Window { from: from.map(at), until: at(until), settled: at(until) };
        let (cluster, timeline, backup) =
            (ClusterId::from_u128(1), TimelineId::from_u128(2), BackupId::from_u128(0xabc));
        BackupFolder::new(cluster, part, timeline, &window, kind, backup).unwrap()
    }

    #[test]
    fn a_folder_is_named_as_documented() {
        assert_eq!(
            folder("test", Some(5), 1_795_388_518_506_000, BackupKind::LogSegment).manifest().unwrap().as_str(),
            "backups/00000000000000000000000000000001,test,00000000000000000000000000000002/\
             000000000000000005-001795388518506000-log-segment-00000000000000000000000000000abc/manifest.json"
        );
        assert!(content_hash(&content(&Blake3::of(b"x"), [3; 8]).unwrap()).is_some());
        assert_eq!(content_hash(&Key::new("content/zz/x.y").unwrap()), None);
        assert_eq!(numbered(CATALOGUE, 7).unwrap().as_str(), "catalogue/000000000007");
        assert_eq!(number_of(&snapshot(7).unwrap()), Some((7, ".snapshot")));
    }

    #[test]
    fn windows_that_would_not_sort_are_refused() {
        let at = Timestamp::from_micros;
        let window = Window { from: None, until: at(-1), settled: at(-1) };
        let (cluster, timeline, backup) = (ClusterId::from_u128(1), TimelineId::from_u128(2), BackupId::from_u128(3));
        assert!(BackupFolder::new(cluster, "p", timeline, &window, BackupKind::Base, backup).is_err());
    }

    proptest! {
        #[test]
        fn names_parse_back_and_sort(part in ".{0,300}", a in 0i64..=253_402_207_199_999_999, b in 0i64..9_999) {
            let one = folder(&part, Some(b), a, BackupKind::Incremental);
            let key = one.data(&part, 0).unwrap();
            prop_assert_eq!(BackupFolder::of(&key), Some(one.clone()));
            prop_assert_eq!(BackupFolder::parse(one.prefix()).unwrap(), one.clone());
            prop_assert!(one.prefix().starts_with(one.chain()) && one.chain().matches('/').count() == 2);
            prop_assert!(is_manifest(&one.manifest().unwrap()) && !is_manifest(&key));
            let name = one.name().unwrap();
            prop_assert_eq!((name.from, name.until), (Some(Timestamp::from_micros(b)), Timestamp::from_micros(a)));
            let later = folder(&part, Some(b + 1), a, BackupKind::Incremental);
            prop_assert!(one < later);
        }

        #[test]
        fn hostile_names_never_panic(name in "(backups/)?[a-z0-9/,.-]{0,80}") {
            if let Ok(key) = Key::new(name) {
                let _ = (BackupFolder::of(&key), content_hash(&key), number_of(&key), is_manifest(&key));
            }
        }
    }
}
