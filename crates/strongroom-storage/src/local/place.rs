//! Putting a finished file in place, durably and in one step.

use std::fs::File;
use std::io::{self, ErrorKind as Io};
use std::path::Path;

use strongroom_core::{Error, PutMode, Result};

/// How often a folder is made again that a deletion next door took away.
const ATTEMPTS: usize = 100;

/// Moves `temp`, whose content must be on the disk already, to `target`, and flushes every folder that changed.
pub(super) fn put(temp: &Path, target: &Path, mode: PutMode) -> Result<()> {
    let Some(folder) = target.parent() else { return Err(Error::internal("an object without a folder")) };
    for _ in 0..ATTEMPTS {
        create_folders(folder)?;
        let placed = match mode {
            PutMode::CreateNew => create_new(temp, target),
            PutMode::Overwrite => std::fs::rename(temp, target),
        };
        match placed {
            Ok(()) => return flush_folder(folder),
            // The folder vanished, unless it is the temporary file that did.
            Err(error) if error.kind() == Io::NotFound && temp.exists() => {}
            Err(error) => return Err(explain(&error, temp, target)),
        }
    }
    Err(Error::unavailable(format!("{}: its folder is deleted over and over", target.display())))
}

/// Creates what is missing of `folder`, and flushes each parent that got an entry.
pub(super) fn create_folders(folder: &Path) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let Some(missing) = folder.ancestors().take_while(|path| !path.is_dir()).last() else { return Ok(()) };
        match std::fs::create_dir(missing) {
            Ok(()) => missing.parent().map_or(Ok(()), flush_folder)?,
            Err(error) if error.kind() == Io::AlreadyExists && missing.is_dir() => {}
            Err(error) if error.kind() == Io::NotFound => {}
            Err(error) if error.kind() == Io::AlreadyExists || error.kind() == Io::NotADirectory => {
                return Err(Error::invalid(format!("{} is a file, so nothing can lie below it", missing.display())));
            }
            Err(error) => return Err(Error::from(error).within(format!("creating the folder {}", missing.display()))),
        }
    }
    Err(Error::unavailable(format!("the folder {} is deleted over and over", folder.display())))
}

/// Makes the entries of a folder durable. Windows has no such call: there the file system's journal must do.
fn flush_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let flushed = File::open(folder).and_then(|folder| folder.sync_all());
        flushed.map_err(|error| Error::from(error).within(format!("flushing the folder {}", folder.display())))?;
    }
    Ok(())
}

/// Moves without ever replacing: by a hard link; where the file system has none, by a rename that refuses to replace;
/// where it has neither, by a rename under a lock that all writers of this library take.
fn create_new(temp: &Path, target: &Path) -> io::Result<()> {
    match link(temp, target) {
        Err(error) if lacks_feature(&error) => {}
        done => return done,
    }
    match rename_no_replace(temp, target) {
        Err(error) if lacks_feature(&error) => rename_locked(temp, target),
        done => done,
    }
}

fn link(temp: &Path, target: &Path) -> io::Result<()> {
    std::fs::hard_link(temp, target)?;
    // The object is in place; a temporary name that stays is swept later.
    let _ = std::fs::remove_file(temp);
    Ok(())
}

/// What file systems say to a link or a flag that they do not know. FAT and some network folders answer `EPERM` to links.
fn lacks_feature(error: &io::Error) -> bool {
    matches!(error.kind(), Io::Unsupported | Io::InvalidInput | Io::PermissionDenied | Io::TooManyLinks)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_no_replace(temp: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, temp, CWD, target, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_no_replace(_: &Path, _: &Path) -> io::Result<()> {
    Err(Io::Unsupported.into())
}

/// The lock ends with the process that holds it, so a crash blocks nobody.
#[cfg(unix)]
fn rename_locked(temp: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    let lock = File::options().write(true).create(true).truncate(false).open(temp.with_file_name("create.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    match target.symlink_metadata() {
        Ok(_) => Err(Io::AlreadyExists.into()),
        Err(error) if error.kind() == Io::NotFound => std::fs::rename(temp, target),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn rename_locked(_: &Path, _: &Path) -> io::Result<()> {
    Err(Io::Unsupported.into())
}

pub(super) fn exists(target: &Path) -> Error {
    Error::already_exists(format!("{} exists", target.display()))
}

fn explain(error: &io::Error, temp: &Path, target: &Path) -> Error {
    match error.kind() {
        Io::AlreadyExists => exists(target),
        Io::IsADirectory | Io::DirectoryNotEmpty => {
            Error::invalid(format!("{} is a folder, so it can't be an object", target.display()))
        }
        Io::CrossesDevices => {
            let folder = target.parent().unwrap_or(target).display();
            Error::invalid(format!("{folder} lies on another file system than {}", temp.display()))
                .hint("nothing may be mounted below the folder of a storage")
        }
        Io::NotFound => Error::unavailable(format!("{} vanished while it was written", temp.display())),
        Io::Unsupported | Io::InvalidInput => {
            Error::unsupported(format!("the file system of {} can't create a file without replacing", target.display()))
        }
        _ => {
            let kind = Error::from(io::Error::from(error.kind())).kind();
            Error::new(kind, format!("putting {} in place: {error}", target.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Way = fn(&Path, &Path) -> io::Result<()>;

    /// The three ways must be equally good: of many racers exactly one wins, and its bytes stay.
    #[test]
    fn of_many_racers_exactly_one_wins_in_every_way() {
        let ways: [(&str, Way); 4] =
            [("link", link), ("no replace", rename_no_replace), ("locked", rename_locked), ("best", create_new)];
        for (name, way) in ways {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("target");
            let winners: Vec<usize> = std::thread::scope(|scope| {
                let race = |racer: usize| {
                    let (temp, target) = (folder.path().join(format!("temp{racer}")), &target);
                    scope.spawn(move || {
                        std::fs::write(&temp, racer.to_string()).unwrap();
                        match way(&temp, target) {
                            Ok(()) => Some(racer),
                            Err(error) => {
                                assert_eq!(error.kind(), Io::AlreadyExists, "{name}");
                                None
                            }
                        }
                    })
                };
                let racers: Vec<_> = (0..8).map(race).collect();
                racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
            });
            assert_eq!(winners.len(), 1, "{name}");
            assert_eq!(std::fs::read_to_string(&target).unwrap(), winners[0].to_string(), "{name}");
        }
    }

    #[test]
    fn what_a_file_system_without_links_answers_leads_to_the_next_way() {
        for kind in [Io::Unsupported, Io::InvalidInput, Io::PermissionDenied] {
            assert!(lacks_feature(&kind.into()));
        }
        assert!(!lacks_feature(&Io::AlreadyExists.into()));
        assert!(!lacks_feature(&Io::StorageFull.into()));
    }

    #[test]
    fn folders_are_made_and_a_file_in_the_way_is_told() {
        let folder = tempfile::tempdir().unwrap();
        create_folders(&folder.path().join("a/b/c")).unwrap();
        assert!(folder.path().join("a/b/c").is_dir());
        std::fs::write(folder.path().join("a/file"), "").unwrap();
        let error = create_folders(&folder.path().join("a/file/d")).unwrap_err();
        assert_eq!(error.kind(), strongroom_core::ErrorKind::Invalid);
        assert!(error.message().contains("is a file"), "{error}");
    }
}
