package doctor

import (
	"fmt"
	"os"
	"path/filepath"
)

// fileSystem is where a folder lies.
type fileSystem struct {
	memory bool // tmpfs or ramfs: nothing is written to a disk
	free   float64
}

// roomNeeded is the free space, in bytes, below which experiments are in danger:
// RabbitMQ's disk alarm goes off at 50 MB, and append-only files grow.
const roomNeeded = 1e9

// temporaryFolder looks at the folder that holds the private servers.
func temporaryFolder(dir string) []Finding {
	probe, err := os.MkdirTemp(dir, "acklab-doctor-")
	if err != nil {
		return []Finding{{Warning, fmt.Sprintf("nothing can be made in the temporary folder: %v", err), "every private server lives there", "TMPDIR to a folder on a disk that you may write to", nil}}
	}
	defer os.RemoveAll(probe)
	fs, err := lookAtFileSystem(probe)
	if err != nil {
		return []Finding{{Level: Unseen, What: fmt.Sprintf("the file system of the temporary folder %s: %v", dir, err)}}
	}
	return judgeFolder(dir, fs)
}

func judgeFolder(dir string, fs fileSystem) []Finding {
	var found []Finding
	dir = filepath.Clean(dir)
	if fs.memory {
		found = append(found, Finding{Warning, "the temporary folder " + dir + " is in memory (tmpfs)",
			"every fsync is free there: experiments about power cuts mean nothing, and the price of persistence cannot be measured",
			"TMPDIR to a folder on a disk, as in TMPDIR=/var/tmp", []string{"I3", "I5"}})
	} else {
		found = append(found, Finding{Level: Fine, What: "the temporary folder " + dir + " is on a disk"})
	}
	if fs.free < roomNeeded {
		return append(found, Finding{Warning, fmt.Sprintf("%s are free in the temporary folder %s", size(fs.free), dir),
			"RabbitMQ raises its disk alarm at 50 MB and then blocks every publisher; append-only files and ledgers grow",
			"free at least " + size(roomNeeded) + ", or TMPDIR to a larger disk", []string{"Q1"}})
	}
	return append(found, Finding{Level: Fine, What: size(fs.free) + " are free there"})
}
