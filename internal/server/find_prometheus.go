package server

import "regexp"

// PrometheusVariable is the environment variable that names another prometheus
// than the newest one found.
const PrometheusVariable = "ACKLAB_PROMETHEUS"

// prometheusPlaces are looked at besides PATH.
var prometheusPlaces = []string{
	"/usr/bin/prometheus", "/usr/local/bin/prometheus", "/opt/prometheus*/prometheus",
	"/opt/homebrew/bin/prometheus", "/opt/homebrew/opt/prometheus*/bin/prometheus", "/usr/local/opt/prometheus*/bin/prometheus",
}

// FindPrometheus finds prometheus: the one that ACKLAB_PROMETHEUS names, or else
// the newest of those in PATH and the usual places. The error is a *MissingError.
func FindPrometheus() (Binary, error) { return prometheusProgram.find() }

var prometheusProgram = program{
	name: "prometheus", variable: PrometheusVariable, places: prometheusPlaces, debian: "prometheus", brew: "prometheus",
	version: regexp.MustCompile(`\bprometheus, version ([0-9][0-9A-Za-z.-]*)`),
}
