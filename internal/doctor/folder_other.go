//go:build !linux

package doctor

import "golang.org/x/sys/unix"

// lookAtFileSystem asks the kernel about the file system of a folder. Only
// Linux has temporary folders in memory by default.
func lookAtFileSystem(dir string) (fileSystem, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fileSystem{}, err
	}
	return fileSystem{free: float64(s.Bavail) * float64(s.Bsize)}, nil
}
