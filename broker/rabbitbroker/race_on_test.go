//go:build race

package rabbitbroker

const raceDetector = true
