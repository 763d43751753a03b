//! How the kernel asks the disk (FUSE). One thread answers, one question after the other; so a disk that waits for its
//! power cut answers nobody.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::content::Content;
use super::tree::{Folder, Ino, Kind, Node, Refusal, Tree};
use super::{Shared, time_now};

/// For how long the kernel need not ask again: nobody but itself changes anything.
const VALID_FOR: Duration = Duration::from_hours(1);
const BLOCK_BYTES: u32 = 4096;
/// What is told of the room: a gigabyte, always free.
const BLOCKS: u64 = 1 << 18;
/// The type of a file in its mode, and that of a socket (inode(7)).
const TYPE: u32 = 0o170_000;
const SOCKET: u32 = 0o140_000;
const REGULAR: u32 = 0o100_000;
const PERMISSIONS: u32 = 0o7777;

/// The disk as the kernel sees it.
#[derive(Debug)]
pub(super) struct Mounted(pub(super) Arc<Shared>);

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotThere => Self::ENOENT,
            Refusal::ThereAlready => Self::EEXIST,
            Refusal::NoFolder => Self::ENOTDIR,
            Refusal::AFolder => Self::EISDIR,
            Refusal::NotEmpty => Self::ENOTEMPTY,
        }
    }
}

/// What a file is, for the kernel.
fn about(tree: &Tree, ino: Ino) -> Result<FileAttr, Refusal> {
    let node = tree.node(ino)?;
    let (kind, size) = match &node.kind {
        Kind::File(content) => (FileType::RegularFile, content.len() as u64),
        Kind::Folder(_) => (FileType::Directory, u64::from(BLOCK_BYTES)),
        Kind::Socket => (FileType::Socket, 0),
    };
    Ok(FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(512),
        atime: node.modified,
        mtime: node.modified,
        ctime: node.changed,
        crtime: node.changed,
        kind,
        perm: node.mode,
        nlink: tree.n_names(ino),
        uid: node.owner,
        gid: node.group,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn made(request: &Request, mode: u32, kind: Kind) -> Node {
    let now = time_now();
    Node {
        kind,
        mode: u16::try_from(mode & PERMISSIONS).unwrap_or_default(),
        owner: request.uid(),
        group: request.gid(),
        changed: now,
        modified: now,
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Mounted {
    fn make(&self, folder: INodeNo, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        self.0.change(|tree| {
            let ino = tree.make(folder.0, name, node)?;
            about(tree, ino)
        })
    }
}

fn entry(reply: ReplyEntry, made: Result<FileAttr, Errno>) {
    match made {
        Ok(about) => reply.entry(&VALID_FOR, &about, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn attr(reply: ReplyAttr, found: Result<FileAttr, Errno>) {
    match found {
        Ok(about) => reply.attr(&VALID_FOR, &about),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.0.look(|tree| about(tree, tree.find(parent.0, name)?));
        entry(reply, found);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attr(reply, self.0.look(|tree| about(tree, ino.0)));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = self.0.change(|tree| {
            if let Some(size) = size {
                tree.file_mut(ino.0)?.resize(place(size));
                tree.count_change();
            }
            let node = tree.node_mut(ino.0)?;
            let now = time_now();
            if let Some(mode) = mode {
                node.mode = u16::try_from(mode & PERMISSIONS).unwrap_or_default();
            }
            node.owner = uid.unwrap_or(node.owner);
            node.group = gid.unwrap_or(node.group);
            node.changed = now;
            match mtime {
                Some(TimeOrNow::SpecificTime(at)) => node.modified = at,
                Some(TimeOrNow::Now) => node.modified = now,
                None if size.is_some() => node.modified = now,
                None => {}
            }
            about(tree, ino.0)
        });
        attr(reply, set);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        let kind = match mode & TYPE {
            SOCKET => Kind::Socket,
            REGULAR => Kind::File(Content::default()),
            _ => return reply.error(Errno::EPERM),
        };
        entry(reply, self.make(parent, name, made(request, mode, kind)));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let kind = Kind::Folder(Folder::default());
        entry(reply, self.make(parent, name, made(request, mode, kind)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.change(|tree| tree.unlink(parent.0, name)));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.change(|tree| tree.unlink(parent.0, name)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let keeps_other = flags.contains(RenameFlags::RENAME_NOREPLACE);
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let (from, to) = ((parent.0, name), (newparent.0, newname));
        let moved = self.0.change(|tree| {
            tree.rename(from, to, keeps_other)?;
            // A file that was moved was changed (rename(2)).
            let ino = tree.find(to.0, to.1)?;
            tree.node_mut(ino)?.changed = time_now();
            Ok(())
        });
        empty(reply, moved);
    }

    fn link(
        &self,
        _: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let linked = self.0.change(|tree| {
            tree.link(ino.0, newparent.0, newname)?;
            about(tree, ino.0)
        });
        entry(reply, linked);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let found = self.0.look(|tree| {
            let content = tree.file(ino.0)?;
            Ok(content.read(place(offset), size as usize).to_vec())
        });
        match found {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.0.change(|tree| {
            tree.file_mut(ino.0)?.write(place(offset), data);
            tree.count_change();
            let node = tree.node_mut(ino.0)?;
            node.modified = time_now();
            node.changed = node.modified;
            Ok(u32::try_from(data.len()).unwrap_or(u32::MAX))
        });
        match written {
            Ok(n) => reply.written(n),
            Err(error) => reply.error(error),
        }
    }

    /// A file is closed: that says nothing of the disk (close(2), "A successful close does not guarantee").
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _data: bool, reply: ReplyEmpty) {
        empty(reply, self.0.change(|tree| tree.sync(ino.0)));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _data: bool, reply: ReplyEmpty) {
        empty(reply, self.0.change(|tree| tree.sync(ino.0)));
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = self.0.look(|tree| {
            let names = &tree.folder(ino.0)?.names;
            let mut all = vec![(ino.0, FileType::Directory, ".".into())];
            all.push((ino.0, FileType::Directory, "..".into()));
            for (name, ino) in names {
                all.push((*ino, about(tree, *ino)?.kind, name.clone()));
            }
            Ok(all)
        });
        let all = match listed {
            Ok(all) => all,
            Err(error) => return reply.error(error),
        };
        for (at, (ino, kind, name)) in all.into_iter().enumerate().skip(place(offset)) {
            if reply.add(INodeNo(ino), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(
            BLOCKS,
            BLOCKS,
            BLOCKS,
            BLOCKS,
            BLOCKS,
            BLOCK_BYTES,
            255,
            BLOCK_BYTES,
        );
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let kind = Kind::File(Content::default());
        match self.make(parent, name, made(request, mode, kind)) {
            Ok(about) => reply.created(
                &VALID_FOR,
                &about,
                Generation(0),
                FileHandle(0),
                FopenFlags::empty(),
            ),
            Err(error) => reply.error(error),
        }
    }
}
