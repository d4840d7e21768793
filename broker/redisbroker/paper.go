package redisbroker

import "sync"

// maxSheet is how large a payload may be for its memory to be used again.
const maxSheet = 16 << 10

// paper is the memory of payloads that were sent, for the next ones: half of what a
// publish takes.
var paper sheets

type sheets struct{ pool sync.Pool }

func (s *sheets) take() []byte {
	if sheet, ok := s.pool.Get().(*[]byte); ok {
		return *sheet
	}
	return nil
}

func (s *sheets) giveBack(payload []byte) {
	if cap(payload) <= maxSheet {
		s.pool.Put(&payload)
	}
}
