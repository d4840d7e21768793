// Package acklab is the root of a laboratory for asynchronous job processing:
// producers, workers, a scheduler and a dashboard over exchangeable brokers,
// and a catalogue of experiments that break them on purpose, on real Redis and
// RabbitMQ servers, and count exactly which tasks were lost and which ran
// twice. The package itself holds the reference run, and no code. The program is in cmd/acklab, the
// contract that all brokers fulfil in broker, the experiments in experiments;
// the tests beside this file say which package may import which.
package acklab
