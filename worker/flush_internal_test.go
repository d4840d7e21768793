package worker

import "testing"

func TestAFlushOfANewSessionVouchesForNothingOfALostOne(t *testing.T) {
	t.Parallel()
	var f flusher
	f.handedOver(1, 10)
	f.lose(1)
	if _, _, some := f.pending(); some {
		t.Error("an acknowledgement of a lost session is still waited for")
	}
	f.handedOver(1, 12) // told by a slot that had not heard of the loss
	if _, _, some := f.pending(); some {
		t.Error("an acknowledgement handed to a lost session is waited for")
	}
	f.handedOver(2, 20)
	session, line, some := f.pending()
	if session != 2 || line != 20 || !some {
		t.Errorf("pending %d, %d, %v; want 2, 20, true", session, line, some)
	}
	f.lose(2)
	if f.processed(2, 20) {
		t.Error("a flush that ended after the session was lost counts")
	}
}
