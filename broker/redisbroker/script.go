package redisbroker

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// What has to happen in one step runs in Redis.
var (
	//go:embed lua/claim.lua
	claimLua string
	//go:embed lua/pop.lua
	popLua string
	//go:embed lua/ack.lua
	ackLua string
	//go:embed lua/move.lua
	moveLua string
	//go:embed lua/renew.lua
	renewLua string
	//go:embed lua/overdue.lua
	overdueLua string
	//go:embed lua/drop.lua
	dropLua string
	//go:embed lua/due.lua
	dueLua string
	//go:embed lua/depth.lua
	depthLua string
	//go:embed lua/census.lua
	censusLua string

	popScript     = redis.NewScript(popLua)
	ackScript     = redis.NewScript(claimLua + ackLua)
	moveScript    = redis.NewScript(claimLua + moveLua)
	renewScript   = redis.NewScript(claimLua + renewLua)
	overdueScript = redis.NewScript(overdueLua)
	dropScript    = redis.NewScript(dropLua)
	dueScript     = redis.NewScript(dueLua)
	depthScript   = redis.NewScript(depthLua)
	censusScript  = redis.NewScript(censusLua)
)
