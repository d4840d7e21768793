package server

import "regexp"

// redisPlaces are looked at besides PATH, which often lacks the sbin folders.
var redisPlaces = []string{
	"/usr/bin/redis-server", "/usr/sbin/redis-server",
	"/usr/local/bin/redis-server", "/usr/local/sbin/redis-server",
	"/opt/redis*/bin/redis-server", "/opt/homebrew/bin/redis-server",
	"/opt/homebrew/opt/redis*/bin/redis-server", "/usr/local/opt/redis*/bin/redis-server",
}

// FindRedis finds redis-server: the one that ACKLAB_REDIS_SERVER names, or else the
// newest of those in PATH and the usual places. The error is a *MissingError.
func FindRedis() (Binary, error) { return redisProgram.find() }

var redisProgram = program{
	name: "redis-server", variable: RedisVariable, places: redisPlaces, debian: "redis-server", brew: "redis",
	version: regexp.MustCompile(`\bv=([0-9][0-9A-Za-z.-]*)`),
}
