package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is what one ledger file says, and whether it is whole.
type File struct {
	Path  string
	Lines []Line // every line up to the first that is not whole
	// Torn: the file ends in the middle of a line.
	Torn bool
	// Damage says what is wrong with the numbering or a line: a gap, a line
	// that is no JSON or names no event, lines after closed, another beginning
	// than opened. Empty: nothing.
	Damage string
}

// Read reads a ledger file. An error means that it could not be read at all;
// what is wrong inside it is told by Torn and Damage.
func Read(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("read the ledger: %w", err)
	}
	defer f.Close()
	file, err := Parse(f)
	file.Path = path
	if err != nil {
		return file, fmt.Errorf("read the ledger %s: %w", path, err)
	}
	return file, nil
}

// Parse reads the lines of one ledger from r; see Read.
func Parse(r io.Reader) (File, error) {
	var f File
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		raw, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return f, err
		}
		if err != nil {
			f.Torn = len(raw) > 0
			f.checkFirst()
			return f, nil
		}
		if f.Damage != "" {
			continue
		}
		f.add(bytes.TrimSuffix(raw, []byte{'\n'}))
	}
}

func (f *File) add(raw []byte) {
	var l Line
	want := int64(len(f.Lines)) + 1
	switch err := json.Unmarshal(raw, &l); {
	case err != nil:
		f.Damage = fmt.Sprintf("line %d is not a ledger line: %v", want, err)
	case l.Seq != want:
		f.Damage = fmt.Sprintf("line %d is numbered %d", want, l.Seq)
	case l.Event == "":
		f.Damage = fmt.Sprintf("line %d names no event", want)
	case f.Closed():
		f.Damage = fmt.Sprintf("line %d comes after closed", want)
	default:
		f.Lines = append(f.Lines, l)
	}
}

func (f *File) checkFirst() {
	if f.Damage == "" && (len(f.Lines) == 0 || f.Lines[0].Event != Opened) {
		f.Damage = "it does not begin with opened"
	}
}

// Closed tells whether the last line is closed: the process ended by itself.
func (f *File) Closed() bool {
	return len(f.Lines) > 0 && f.Lines[len(f.Lines)-1].Event == Closed
}
