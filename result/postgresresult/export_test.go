package postgresresult

// TidyNow has the next Store begin a clean-up.
func TidyNow(s *Store) { s.tidied.Store(0) }
