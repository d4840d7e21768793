package server

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"acklab/internal/minder"
)

// postgresUser is who PostgreSQL runs as: nil, the one who starts it, except that
// it refuses to run as root; then the system's user for it, or nobody.
func postgresUser() (*minder.User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil || gidErr != nil || uid == 0 {
			continue
		}
		return &minder.User{UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody to run it as")
}

// giveFolder makes a folder of the minder's the user's own. The minder's root,
// which is closed to others, is opened as far as to let it be passed through: what
// is inside are folders that only their owners can enter.
func giveFolder(m *minder.Minder, dir string, u *minder.User) error {
	if u == nil {
		return nil
	}
	if err := os.Chmod(m.Root(), 0o711); err != nil {
		return fmt.Errorf("let PostgreSQL pass: %w", err)
	}
	if err := os.Chown(dir, int(u.UID), int(u.GID)); err != nil {
		return fmt.Errorf("give PostgreSQL its folder: %w", err)
	}
	return nil
}
