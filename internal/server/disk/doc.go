// Package disk works out what a disk would hold after a power cut, from a trace of
// the system calls of the process that wrote to it.
//
// A SIGKILL takes the process and leaves the page cache, so it cannot show what fsync
// is for. Here every call that changes a file is recorded by strace from the start of
// the process on, with the bytes that it wrote, and the calls are replayed twice:
// once all of them, which must give the files as they are, byte for byte (else the
// trace missed something and nothing is claimed), and once as far as they were synced.
//
// # The model
//
// It is the worst case that a file system with an ordered journal allows (ext4 with
// data=ordered, XFS), with the power cut before the kernel writes anything back by
// itself, which it does after some 5 to 30 seconds:
//
//   - Contents: when fsync or fdatasync of a file has returned without an error, the
//     writes and truncations of that file that had returned before the sync was
//     entered are on the disk. Nothing else is: a later write is lost even where half
//     of it might have been kept. A write through O_SYNC, O_DSYNC or RWF_DSYNC is on
//     the disk when it returns. sync and syncfs cover every file; sync_file_range
//     covers nothing, as its manual says.
//   - Names: creations, renames, links and removals become durable in the order in
//     which they returned, never one without those before it. A completed fsync of a
//     file reaches as far as the last change of the file's own names; so does
//     fdatasync when the file has grown, else it reaches its creation only. A sync of a
//     directory reaches as far as the last change in it or of its own name. A rename
//     or a removal that no sync reached is undone: the old name is back.
//   - Age: a caller may say that a moment is long ago, so that the kernel has written
//     back all that had been done by then. A server that has just been set up stands so
//     for one that is in use: RabbitMQ never syncs some files that it writes at its
//     first boot and cannot do without.
//   - What has a durable name and no durable content is a file of length 0.
//
// Alternatives, and why they are not taken. POSIX promises a name only after a sync of
// its directory; no journalling file system is that weak for a file that was itself
// synced, and the servers under test would be blamed for what their users never see.
// A commit of a journal every 5 seconds, which ext4 does, would keep more names: the
// cut comes before it. A torn write, of which one half is kept, is possible on every
// file system; it differs from the model only in a tail that was never promised.
//
// The model is computed from calls, not read from the device: it holds as well where
// the folder is on tmpfs, whose fsync does nothing. It says nothing about disks that
// confirm a flush which they did not do.
//
// What the trace cannot show is refused, not guessed: a shared writable mapping of a
// file, io_uring, asynchronous I/O, copies inside the kernel.
package disk
