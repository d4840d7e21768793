package experiments

import "acklab/internal/check"

var redisPersistence = &Experiment{
	Name:     "redis-ends",
	Question: "Redis is killed, stopped or loses its power, and comes back: what does it still have?",
	Claims:   []string{"I1", "I2", "I3"},
	Varies:   "persistence x end of the server x an idle queue or a steady stream",
	Threats: []string{
		"SIGKILL is not a power cut: both are cells; a power cut takes what no completed fsync had covered, by the server's own system calls",
		"a first boot is not a restart: the server comes back on its own folder and port, and is probed before a worker takes what is left",
		"the fault happened to nobody: all 500 tasks are confirmed two seconds before it, or 1,000 of a stream that goes on",
		"a nack or a timeout is not a refusal: what was on its way is unsure, and stays apart from what was confirmed and lost",
		"small n: a loss inside the second between two syncs is a range with its reason, not a number",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Kind != RedisServer || suite == Quick && sys.Name != "redis" {
			return nil // what a server loses does not depend on whose queue it is; full has all cells of each
		}
		var cells []Cell
		for _, persistence := range []string{"none", "rdb", "rdb-1s", "aof-no", "aof-everysec", "aof-always"} {
			for _, end := range []string{endKill, endPolite, endCut} {
				for _, load := range []string{loadIdle, loadStream} {
					if suite != Quick || redisQuick[[3]string{persistence, end, load}] {
						cells = append(cells, redisEnds(sys, Setting{"persistence": persistence, "end": end, "load": load}))
					}
				}
			}
		}
		if suite == Quick || sys.Celery {
			return oneTrialEach(cells...)
		}
		return cells
	},
}

// redisQuick are the cells that answer the claims in half a minute.
var redisQuick = map[[3]string]bool{
	{"none", endKill, loadIdle}: true, {"rdb", endKill, loadIdle}: true, {"rdb-1s", endKill, loadIdle}: true,
	{"aof-no", endCut, loadStream}: true, {"aof-everysec", endCut, loadStream}: true, {"aof-always", endCut, loadStream}: true,
}

func redisEnds(sys System, setting Setting) Cell {
	c := serverEnds(sys, setting)
	predictRedisEnd(&c, setting["persistence"], setting["end"], setting["load"])
	c.Claims = redisEndClaims(&c, setting["persistence"], setting["end"], setting["load"])
	return c
}

// redisWindow is what two seconds of the stream are.
const redisWindow = 2 * streamRate

func predictRedisEnd(c *Cell, persistence, end, load string) {
	switch {
	case persistence == "none":
		c.losesAll()
		c.Because = "nothing is ever written to a file"
	case persistence == "aof-always":
		c.loses(0, 0, "")
		c.Because = "each command is written and synced before its reply"
	case persistence == "aof-everysec" && end == endCut && load == loadStream:
		c.loses(1, redisWindow, "synced once a second, and Redis lets a sync be late by a second: up to two seconds of 500 a second, and hardly ever nothing")
		c.Because = "written before the reply, synced by a thread once a second"
	case persistence == "aof-everysec" && end == endKill && load == loadStream:
		c.loses(0, redisWindow, "while a sync is slow, Redis holds back in its own memory what it would write, for up to two seconds; on a quick disk it has nothing to hold back")
		c.Because = "a killed process loses what it had not given to write(2) yet"
	case persistence == "aof-everysec":
		c.loses(0, 0, "")
		c.Because = "a killed process loses nothing that it gave to write(2), and two seconds after the last write it is synced, too"
	case persistence == "aof-no" && end == endCut:
		c.losesAll()
		c.Because = "written before the reply, never synced: the kernel may take half a minute to write it out, and nothing that it has not is counted on"
	case persistence == "aof-no":
		c.loses(0, 0, "")
		c.Because = "a killed process loses nothing that it gave to write(2)"
	case end == endPolite:
		c.loses(0, 0, "")
		c.Because = "with save points, Redis takes a snapshot when it is told to stop"
	case persistence == "rdb":
		c.losesAll()
		c.Because = "the first save point of redis.conf that the load could meet is 10,000 changes in a minute: there is no snapshot yet"
	case load == loadIdle:
		c.loses(0, 0, "")
		c.Because = "a snapshot a second: two seconds after the last write there is one that has everything, synced before it got its name"
	default:
		c.loses(1, redisWindow, "what came after the fork of the last snapshot that was finished: a second, and the time that a snapshot takes")
		c.Because = "a snapshot a second"
	}
}

// redisEndClaims: I1 speaks of no persistence, I2 of snapshots, I3 of the
// append-only file, where everysec may lose a second.
func redisEndClaims(c *Cell, persistence, end, load string) map[string]check.Bounds {
	switch persistence {
	case "none":
		return map[string]check.Bounds{"I1": {"lost": c.Predicted["lost"]}}
	case "rdb", "rdb-1s":
		if end == endPolite {
			return nil // the last snapshot is taken at the stop: nothing came after it
		}
		if persistence == "rdb-1s" && load == loadIdle {
			return map[string]check.Bounds{"I2": {"lost": {0, 0}}}
		}
		return map[string]check.Bounds{"I2": {"lost": {1, c.Load}}}
	case "aof-everysec":
		return map[string]check.Bounds{"I3": {"lost": {0, streamRate}}}
	}
	return map[string]check.Bounds{"I3": {"lost": {0, 0}}}
}
