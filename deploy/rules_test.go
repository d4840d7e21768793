package deploy_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// Each rule looks at one service and says what is wrong with it.

// fullVersion is an image with a tag of three numbers; PostgreSQL's versions have two.
var fullVersion = regexp.MustCompile(`^([a-z0-9./-]+:v?[0-9]+\.|postgres:)[0-9]+\.[0-9]+(-[a-z0-9.-]+)?$`)

// image: what is pulled has a full version; what is built has a name that
// nobody can pull by mistake.
func image(_ deployment, s types.ServiceConfig) []string {
	switch {
	case ours(s) && s.Image != "acklab:local":
		return []string{fmt.Sprintf("%s: image %s is built here, and all services share acklab:local", s.Name, s.Image)}
	case !ours(s) && !fullVersion.MatchString(s.Image):
		return []string{fmt.Sprintf("%s: image %s has no tag with a full version", s.Name, s.Image)}
	}
	return nil
}

// ports are published on loopback only.
func ports(_ deployment, s types.ServiceConfig) (found []string) {
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			found = append(found, fmt.Sprintf("%s: port %d is published on every address, not on 127.0.0.1", s.Name, p.Target))
		}
	}
	return found
}

var asked = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// health: every service has a check, and those of acklab ask the port that
// their metrics are on.
func health(_ deployment, s types.ServiceConfig) (found []string) {
	check := s.HealthCheck
	if check == nil || check.Disable || len(check.Test) < 2 || check.Test[0] == "NONE" {
		return []string{s.Name + ": no health check"}
	}
	if check.Interval == nil || check.Timeout == nil || check.Retries == nil || check.StartPeriod == nil {
		found = append(found, s.Name+": the health check leaves interval, timeout, retries or start_period to the engine")
	}
	if ours(s) {
		_, port, _ := net.SplitHostPort(flag(s, "metrics-addr"))
		for _, addr := range asked.FindAllString(strings.Join(check.Test, " "), -1) {
			if addr != "127.0.0.1:"+port {
				found = append(found, fmt.Sprintf("%s: the health check asks %s, and the metrics are on port %s", s.Name, addr, port))
			}
		}
	}
	return found
}

// dependencies are waited for until they are healthy. That they exist and make
// no circle is what reading the file has shown.
func dependencies(d deployment, s types.ServiceConfig) (found []string) {
	for name, dep := range s.DependsOn {
		if dep.Condition != types.ServiceConditionHealthy {
			found = append(found, fmt.Sprintf("%s: depends on %s with %s, which says nothing of its health", s.Name, name, dep.Condition))
		}
	}
	return found
}

// mounts: what is mounted from the tree is there, and a data folder is not
// left to a volume without a name.
func mounts(_ deployment, s types.ServiceConfig) (found []string) {
	for _, v := range s.Volumes {
		switch v.Type {
		case types.VolumeTypeBind:
			if _, err := os.Stat(v.Source); err != nil {
				found = append(found, fmt.Sprintf("%s: %v", s.Name, err))
			}
		case types.VolumeTypeVolume:
			if v.Source == "" {
				found = append(found, fmt.Sprintf("%s: the volume on %s has no name", s.Name, v.Target))
			}
		}
	}
	if s.Name == "redis" && !strings.Contains(strings.Join(s.Command, " "), "--appendonly yes") {
		found = append(found, "redis: not started with --appendonly yes")
	}
	return found
}

// servers: the environment names a service as the broker, and one as the result
// store, and the service waits for both.
func servers(d deployment, s types.ServiceConfig) (found []string) {
	if !ours(s) {
		return nil
	}
	for _, variable := range []string{"ACKLAB_BROKER_URL", "ACKLAB_RESULT_URL"} {
		found = append(found, named(d, s, variable)...)
	}
	return found
}

// named: the URL in the variable is that of a service, with what its image takes
// from its own environment.
func named(d deployment, s types.ServiceConfig, variable string) (found []string) {
	raw := s.Environment[variable]
	if raw == nil {
		return []string{fmt.Sprintf("%s: no %s in its environment", s.Name, variable)}
	}
	u, err := url.Parse(*raw)
	if err != nil {
		return []string{fmt.Sprintf("%s: %s is no URL", s.Name, variable)}
	}
	host, exists := d.project.Services[u.Hostname()]
	if !exists {
		return []string{fmt.Sprintf("%s: %s names the host %s, which is no service", s.Name, variable, u.Hostname())}
	}
	if _, waits := s.DependsOn[host.Name]; !waits {
		found = append(found, fmt.Sprintf("%s: %s of %s is not in depends_on", s.Name, host.Name, variable))
	}
	password, _ := u.User.Password()
	for setting, in := range map[string]string{
		"RABBITMQ_DEFAULT_USER": u.User.Username(), "RABBITMQ_DEFAULT_PASS": password,
		"POSTGRES_USER": u.User.Username(), "POSTGRES_PASSWORD": password, "POSTGRES_DB": strings.Trim(u.Path, "/"),
	} {
		if set := host.Environment[setting]; set != nil && *set != in {
			found = append(found, fmt.Sprintf("%s: %s is not what %s of %s says", s.Name, variable, setting, host.Name))
		}
	}
	return found
}

// scraped: Prometheus asks services, at ports that they serve, and leaves no
// process of acklab out.
func scraped(d deployment) (found []string) {
	for _, target := range d.targets {
		host, port, err := net.SplitHostPort(target)
		if err != nil {
			found = append(found, fmt.Sprintf("prometheus.yml: target %s is not host:port", target))
			continue
		}
		if host == "localhost" {
			host = "prometheus" // itself
		}
		s, exists := d.project.Services[host]
		switch {
		case !exists:
			found = append(found, fmt.Sprintf("prometheus.yml: target %s is no service of docker-compose.yml", target))
		case !slices.Contains(metricsPorts(s), port):
			found = append(found, fmt.Sprintf("prometheus.yml: target %s, and the service has its metrics on %v", target, metricsPorts(s)))
		}
	}
	for name, s := range d.project.Services {
		if ours(s) && !slices.ContainsFunc(d.targets, func(t string) bool { return strings.HasPrefix(t, name+":") }) {
			found = append(found, fmt.Sprintf("%s: no target of prometheus.yml", name))
		}
	}
	return found
}

// metricsPorts are the ports at which a service shows metrics: of acklab the
// one of its flag, of Prometheus its own, else those that it exposes.
func metricsPorts(s types.ServiceConfig) []string {
	switch {
	case ours(s):
		_, port, _ := net.SplitHostPort(flag(s, "metrics-addr"))
		return []string{port}
	case s.Name == "prometheus":
		return []string{"9090"}
	}
	return s.Expose
}

// flag is the value of --name=value in the service's command.
func flag(s types.ServiceConfig, name string) string {
	for _, word := range s.Command {
		if value, ok := strings.CutPrefix(word, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

// stopping: the engine waits longer for a polite stop than the worker itself.
func stopping(s types.ServiceConfig) []string {
	grace, err := time.ParseDuration(flag(s, "grace"))
	if err != nil {
		return nil // a producer has none; a wrong one is found with the command
	}
	engine := 10 * time.Second
	if s.StopGracePeriod != nil {
		engine = time.Duration(*s.StopGracePeriod)
	}
	if engine <= grace {
		return []string{fmt.Sprintf("%s: is killed after %v, within its --grace of %v", s.Name, engine, grace)}
	}
	return nil
}

// ledgerFolder: a folder of the service's own, on a volume with a name.
func ledgerFolder(d deployment, s types.ServiceConfig) (found []string) {
	path := flag(s, "ledger")
	if !strings.HasSuffix(path, "/") {
		found = append(found, fmt.Sprintf("%s: the ledger %s is no folder, and the second start would find it there", s.Name, path))
	}
	onVolume := func(v types.ServiceVolumeConfig) bool {
		return v.Type == types.VolumeTypeVolume && strings.HasPrefix(path, filepath.Clean(v.Target)+"/")
	}
	if !slices.ContainsFunc(s.Volumes, onVolume) {
		found = append(found, fmt.Sprintf("%s: the ledger %s is on no volume", s.Name, path))
	}
	for name, other := range d.project.Services {
		if name != s.Name && ours(other) && flag(other, "ledger") == path {
			found = append(found, fmt.Sprintf("%s: the ledger %s is also that of %s", s.Name, path, name))
		}
	}
	return found
}
