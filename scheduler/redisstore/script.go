package redisstore

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// What has to happen in one step runs in Redis.
var (
	//go:embed lua/later.lua
	laterLua string
	//go:embed lua/fence.lua
	fenceLua string
	//go:embed lua/state.lua
	stateLua string
	//go:embed lua/elect.lua
	electLua string
	//go:embed lua/renew.lua
	renewLua string
	//go:embed lua/resign.lua
	resignLua string
	//go:embed lua/begin.lua
	beginLua string
	//go:embed lua/claim.lua
	claimLua string
	//go:embed lua/settle.lua
	settleLua string
	//go:embed lua/show.lua
	showLua string
	//go:embed lua/put.lua
	putLua string
	//go:embed lua/remove.lua
	removeLua string
	//go:embed lua/request.lua
	requestLua string

	electScript   = redis.NewScript(laterLua + electLua)
	renewScript   = redis.NewScript(renewLua)
	resignScript  = redis.NewScript(resignLua)
	beginScript   = redis.NewScript(fenceLua + stateLua + beginLua)
	claimScript   = redis.NewScript(fenceLua + stateLua + claimLua)
	settleScript  = redis.NewScript(fenceLua + stateLua + settleLua)
	showScript    = redis.NewScript(fenceLua + showLua)
	putScript     = redis.NewScript(laterLua + putLua)
	removeScript  = redis.NewScript(laterLua + removeLua)
	requestScript = redis.NewScript(laterLua + requestLua)
)
