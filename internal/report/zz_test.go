package report_test
import ("testing";"acklab/internal/report";"os")
func TestZZ(t *testing.T){ os.RemoveAll("/tmp/rep-out"); run, l := real(t); f := flagship();  for i, c := range run.Experiments[0].Cells { f.Experiments[0].Cells[4+40*i].Trials[0].ID = c.Trials[0].ID }; _ = report.Save("/tmp/rep-out", f, l) }
