package doctor

import "golang.org/x/sys/unix"

// lookAtFileSystem asks the kernel about the file system of a folder.
func lookAtFileSystem(dir string) (fileSystem, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fileSystem{}, err
	}
	kind := int64(s.Type)
	return fileSystem{memory: kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC, free: float64(s.Bavail) * float64(s.Bsize)}, nil
}
