//! A folder of files as a cluster: a whole adapter, to read before writing one. Each file is a piece. It keeps content
//! and modification time, not owners or permissions; links and other odd files are noted, empty folders left out.
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use strongroom::core::cluster::{
    Applied, Capabilities, ClusterIdentity, Conflict, FreezeRequest, Frozen, FrozenPart, Node, PartDescription,
    PieceKind, PieceReader, PieceSpec, PieceSummary, Preflight, RestoreOptions, RestoreOutline, RestoreReport,
    RestoreSession, StepId, Topology,
};
use strongroom::core::{ByteStream, Cluster, Error, ErrorKind, Result, id::ClusterId, id::SessionId, model::Window};

#[derive(Debug)]
pub(crate) struct FolderCluster(pub(crate) PathBuf);

/// What tells whether a file is still, or again, the one that was frozen.
fn stamp(file: &fs::Metadata) -> Result<Value> {
    let since = file.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(json!({"size": file.len(), "micros": u64::try_from(since.as_micros()).unwrap_or_default()}))
}

fn unchanged(file: &fs::Metadata, piece: &PieceSpec, kind: ErrorKind) -> Result<()> {
    let changed = || Error::new(kind, format!("'{}' is not the file that was frozen", piece.name));
    if stamp(file)? == piece.detail { Ok(()) } else { Err(changed()) }
}

impl FolderCluster {
    /// Where a piece belongs. Its name comes out of a backup: it must not lead out of the folder.
    fn path(&self, name: &str) -> Result<PathBuf> {
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if inside { Ok(self.0.join(name)) } else { Err(Error::corrupt(format!("{name:?} leads out of the folder"))) }
    }

    fn walk(&self, folder: &Path, part: &mut FrozenPart) -> Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| Error::from(error).within(folder.display()))? {
            let path = entry?.path();
            let meta = fs::symlink_metadata(&path)?;
            let name = path.strip_prefix(&self.0).unwrap_or(&path);
            let escaped = name.as_os_str().as_encoded_bytes().escape_ascii();
            match name.to_str() {
                Some(name) if name.starts_with(".restoring-") => part.notes.push(format!("'{name}' is half a restore")),
                None => part.missing.push(format!("'{escaped}': the name is not UTF-8")),
                Some(_) if meta.is_dir() => self.walk(&path, part)?,
                Some(_) if !meta.is_file() => part.notes.push(format!("'{escaped}' is no plain file: left out")),
                Some(name) if name.len() > 512 => part.missing.push(format!("'{escaped}': longer than 512 bytes")),
                Some(name) => {
                    let piece = PieceSpec::new(name, PieceKind::Data);
                    part.pieces.push(PieceSpec { bytes: Some(meta.len()), detail: stamp(&meta)?, ..piece });
                }
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Cluster for FolderCluster {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default() // bases only
    }
    async fn describe(&self) -> Result<Topology> {
        let root = fs::canonicalize(&self.0).map_err(|error| Error::from(error).within(self.0.display()))?;
        let fingerprint = format!("folder {}", root.display());
        let id = fingerprint.bytes().fold(7_u128, |sum, byte| sum.wrapping_mul(257).wrapping_add(byte.into()));
        let identity = ClusterIdentity { id: ClusterId::from_u128(id), name: "files".into(), fingerprint };
        let parts = [("files".into(), PartDescription::default())].into();
        Ok(Topology { identity, version: "1".into(), nodes: vec![Node { id: "one".into(), ..Node::default() }], parts })
    }
    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        if request.scope.parts.iter().flatten().any(|(part, _)| part != "files") {
            return Err(Error::not_found("a folder has one part, 'files'"));
        }
        if !request.since.is_empty() || request.scope.parts.iter().flatten().any(|(_, what)| !what.is_everything()) {
            return Err(Error::unsupported("a folder is backed up whole: no filters, no incrementals"));
        }
        let now = strongroom::system_environment().now();
        let mut part = FrozenPart::base("files", Window { from: None, until: now, settled: now });
        self.walk(&self.0, &mut part)?;
        Ok(Frozen { parts: vec![part], failed: [].into(), token: Value::Null })
    }
    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let file = fs::File::open(self.path(&piece.name)?).map_err(|error| Error::from(error).within(&piece.name))?;
        unchanged(&file.metadata()?, piece, ErrorKind::Unavailable)?;
        let body = stream::try_unfold((tokio::fs::File::from_std(file), piece.clone()), async |(mut file, piece)| {
            let mut chunk = bytes::BytesMut::with_capacity(256 * 1024);
            if tokio::io::AsyncReadExt::read_buf(&mut file, &mut chunk).await? == 0 {
                return unchanged(&file.metadata().await?, &piece, ErrorKind::Unavailable).map(|()| None);
            }
            Ok(Some((chunk.freeze(), (file, piece))))
        });
        let summary = async { Ok(PieceSummary { records: 1, ..PieceSummary::default() }) };
        Ok(PieceReader { body: body.boxed(), summary: Box::pin(summary) })
    }
    async fn release(&self, _: &Frozen) -> Result<()> {
        Ok(()) // nothing is held
    }
    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let other = outline.parts.keys().any(|part| options.target_of(part) != "files");
        let refusal = (other || options.truncate).then(|| "a folder has one part, 'files', and is not emptied".into());
        Ok(Preflight { refusals: refusal.into_iter().collect(), warnings: vec![] })
    }
    async fn begin_restore(&self, id: SessionId, _: &RestoreOutline, how: &RestoreOptions) -> Result<RestoreSession> {
        let refusal = how.truncate.then(|| Error::unsupported("a folder is not emptied: restore into a new one"));
        refusal.map_or(Ok(()), Err)?;
        // Files that are not whole yet: what a killed restore leaves there is gone when it is finished or given up.
        let unfinished = self.0.join(format!(".restoring-{id}"));
        fs::create_dir_all(unfinished).map_err(|error| Error::from(error).within(self.0.display()))?;
        Ok(RestoreSession { id, options: how.clone(), detail: Value::Null })
    }
    async fn write(
        &self,
        session: &RestoreSession,
        _: StepId,
        _: &str,
        piece: &PieceSpec,
        mut body: ByteStream,
    ) -> Result<Applied> {
        let (target, how) = (self.path(&piece.name)?, &session.options);
        fs::create_dir_all(target.parent().unwrap_or(&self.0))?;
        let mut file = tempfile::NamedTempFile::new_in(self.0.join(format!(".restoring-{}", session.id)))?;
        while let Some(chunk) = body.next().await {
            file.write_all(&chunk?).map_err(|error| Error::from(error).within(&piece.name))?;
        }
        let mtime = UNIX_EPOCH + Duration::from_micros(piece.detail["micros"].as_u64().unwrap_or_default());
        file.as_file().set_modified(mtime)?;
        unchanged(&file.as_file().metadata()?, piece, ErrorKind::Corrupt)?;
        let there = fs::symlink_metadata(&target).and_then(|meta| meta.modified());
        let stays = |there| how.conflict == Conflict::Keep || how.conflict == Conflict::Newer && there > mtime;
        if how.no_data || there.is_ok_and(stays) {
            return Ok(Applied { kept: 1, ..Applied::default() });
        }
        file.persist(&target).map_err(|error| Error::from(error.error).within(target.display()))?;
        Ok(Applied { written: 1, ..Applied::default() })
    }
    async fn seal_step(&self, _: &RestoreSession, _: StepId) -> Result<()> {
        Ok(())
    }
    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        let unfinished = self.0.join(format!(".restoring-{}", session.id));
        fs::create_dir_all(&unfinished)?; // gone already when a lost reply is asked for again
        Ok(fs::remove_dir_all(unfinished).map(|()| RestoreReport::default())?)
    }
    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.finish_restore(session).await.map(drop)
    }
}
