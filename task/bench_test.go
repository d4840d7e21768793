package task

import (
	"encoding/json"
	"testing"
	"time"
)

func BenchmarkMarshalEnvelope(b *testing.B) {
	m := celeryMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.MarshalEnvelope(); err != nil {
			b.Fatal(err)
		}
	}
}

// What a producer sends carries arguments of both kinds, and when it was sent.
func BenchmarkMarshalEnvelopeOfAProducer(b *testing.B) {
	m := celeryMessage().SentAt(time.UnixMicro(1764120000123456))
	m.Args = raws(`"text"`, "1.5", `[1,2]`)
	m.Kwargs = map[string]json.RawMessage{"b": raws("true")[0], "a": raws("null")[0]}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.MarshalEnvelope(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalEnvelope(b *testing.B) {
	data := celery(b, celeryBody)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := UnmarshalEnvelope(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m := celeryMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	w := celeryWire()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(w); err != nil {
			b.Fatal(err)
		}
	}
}
