#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A conda channel of this machine's Debian packages, under conda-forge's names.

    local_channel.py CHANNEL LIBTORCH PYARROW WORK

Libraries are copied with their headers, so that a program can be built and run in a prefix of them. Tools are
links into /usr/bin, libtorch is links into LIBTORCH, Arrow into PYARROW, the folder of that wheel. WORK is a folder for what lies between. Needs rattler_build.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import rattler_build

ARCH = subprocess.run(["gcc", "-print-multiarch"], check=True, capture_output=True, text=True).stdout.strip()
FROM_MACHINE = re.compile(r"^(ld-linux.*|lib(c|m|dl|rt|pthread))\.so")  # the C library is the machine's own

# conda-forge's name: Debian packages (glob patterns) whose libraries and headers it has, what else it needs.
LIBRARIES = {
    "libstdcxx": (["libstdc++6", "libgcc-s1", "libgomp1"], []),
    "libboost": (["libboost-*1.*[0-9]"], []),
    "libboost-devel": (["libboost1.*-dev", "libboost-*1.*-dev"], ["libboost"]),
    "tbb": (["libtbb12", "libtbbmalloc2", "libtbbbind*", "libhwloc15"], []),
    "tbb-devel": (["libtbb-dev"], ["tbb"]),
    "onednn": (["libdnnl2", "libdnnl3", "libdnnl-dev"], []),
    "pcre2": (["libpcre2-8-0", "libpcre2-dev"], []),
    "libutf8proc": (["libutf8proc2", "libutf8proc3", "libutf8proc-dev"], []),
    "xxhash": (["libxxhash0", "libxxhash-dev"], []),
    "libzip": (["libzip4", "libzip5", "libzip-dev"], ["openssl", "zlib"]),
    "openssl": (["libssl3*", "libssl-dev"], []),
    "zlib": (["zlib1g", "zlib1g-dev"], []),
}
# Tools: names in /usr/bin.
TOOLS = {
    "cmake": ["cmake"],
    "ninja": ["ninja"],
    "git": ["git"],
    "pkg-config": ["pkg-config"],
    "gnuplot": ["gnuplot"],
    "python": ["python3", "python"],
    "pip": ["pip3", "pip"],
}
COMPILER = "gxx_linux-64"
ACTIVATION = """export CC=/usr/bin/gcc CXX=/usr/bin/g++
_at=${PREFIX:-$CONDA_PREFIX}
export CXXFLAGS="-isystem $_at/include" CFLAGS="-isystem $_at/include"
export LDFLAGS="-L$_at/lib -Wl,-rpath,$_at/lib -Wl,-rpath-link,$_at/lib"
export PKG_CONFIG_PATH="$_at/lib/pkgconfig"
export CMAKE_ARGS="-DCMAKE_PREFIX_PATH=$_at -DCMAKE_INSTALL_PREFIX=$_at"
unset _at
"""


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def installed(patterns):
    """Names and versions of the installed packages that match."""
    found = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *patterns],
        capture_output=True, text=True).stdout
    lines = [line.split() for line in found.splitlines()]
    return {line[1]: line[2] for line in lines if line[0] == "installed"}


def plain_version(debian):
    """1:2.3.4+dfsg-5 -> 2.3.4"""
    return re.match(r"[0-9]+(\.[0-9]+)*", debian.split(":")[-1]).group(0)


def target_of(path):
    """Where a file of Debian lies in a prefix; None = nowhere."""
    for start, to in ((f"/usr/include/{ARCH}/", "include/"), ("/usr/include/", "include/"),
                      (f"/usr/lib/{ARCH}/cmake/", f"lib/{ARCH}/cmake/"), (f"/usr/lib/{ARCH}/", "lib/"), (f"/lib/{ARCH}/", "lib/"), ("/usr/share/cmake/", "lib/cmake/")):
        if path.startswith(start) and not path.endswith(".a"):
            return to + path[len(start):]
    return None


def copy_package(name, folder):
    for path in output_of("dpkg", "-L", name).splitlines():
        to = target_of(path)
        if to is None or (os.path.isdir(path) and not os.path.islink(path)) or not os.path.exists(path):
            continue
        at = folder / to
        at.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(path) and "/" not in os.readlink(path):
            at.unlink(missing_ok=True)
            at.symlink_to(os.readlink(path))
        elif path.endswith(".pc"):
            text = pathlib.Path(path).read_text()
            text = re.sub(rf"lib/{ARCH}|include/{ARCH}", lambda m: m.group(0).split("/")[0], text)
            at.write_text(text.replace("/usr", "${pcfiledir}/../.."))
        else:
            shutil.copy(os.path.realpath(path), at)
        if re.fullmatch(r"lib/[^/]*\.so[.0-9]*", to):  # where CMake files of Debian look for it
            link = folder / "lib" / ARCH / at.name
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to("../" + at.name)


def recipe(name, version, folder, needs, exports, strong=()):
    build = [f"cp -a '{folder}/.' \"$PREFIX/\""]
    about = {
        "package": {"name": name, "version": version},
        "build": {"number": 0, "script": build,
                  "dynamic_linking": {"missing_dso_allowlist": ["**"], "overlinking_behavior": "ignore"}},
        "requirements": {"run": needs, "run_exports": {"weak": exports, "strong": list(strong)}},
    }
    at = folder.parent / (name + ".recipe") / "recipe.yaml"
    at.parent.mkdir(exist_ok=True)
    at.write_text(json.dumps(about))
    return at


def fresh(work, name):
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def library(work, name, patterns, needs):
    packages = installed(patterns)
    if not packages:
        sys.exit(f"none of the Debian packages {' '.join(patterns)} is installed")
    folder = fresh(work, name)
    for package in packages:
        copy_package(package, folder)
    version = plain_version(max(packages.values(), key=len))
    for other in packages:  # what development packages are called says the version best
        if other.endswith("-dev"):
            version = plain_version(packages[other])
    exports = [needs[0]] if name.endswith("-devel") else [name] if name not in ("libboost", "libstdcxx", "tbb") else []
    return recipe(name, version, folder, needs, exports)


def tool(work, name, programs, needs=(), activation=""):
    folder = fresh(work, name)
    (folder / "bin").mkdir()
    for program in programs:
        if os.path.exists("/usr/bin/" + program):
            (folder / "bin" / program).symlink_to("/usr/bin/" + program)
    if activation:
        at = folder / "etc/conda/activate.d"
        at.mkdir(parents=True)
        (at / f"{name}.sh").write_text(activation)
    version = "1.0"
    if programs and (folder / "bin" / programs[0]).exists():
        words = output_of(folder / "bin" / programs[0], "--version").split()
        version = next((w for w in words if re.match(r"^[0-9]+\.[0-9.]+$", w)), "1.0")
    return recipe(name, version, folder, list(needs), [], ["libstdcxx"] if name == COMPILER else [])


def arrow_recipes(work, pyarrow):
    config = (pyarrow / "include/arrow/util/config.h").read_text()
    version = re.search(r'ARROW_VERSION_STRING "([0-9.]+)"', config).group(1)
    for library, needs in (("arrow", []), ("parquet", ["libarrow"])):
        folder = fresh(work, "lib" + library)
        shutil.copytree(pyarrow / "include" / library, folder / "include" / library, copy_function=lambda a, b: os.symlink(a, b))
        (folder / "lib").mkdir()
        file = next(pyarrow.glob(f"lib{library}.so.*"))
        (folder / "lib" / file.name).symlink_to(file)
        (folder / "lib" / f"lib{library}.so").symlink_to(file.name)
        yield recipe("lib" + library, version, folder, needs, ["lib" + library])


def all_recipes(work, libtorch, pyarrow):
    for name, (patterns, needs) in LIBRARIES.items():
        yield library(work, name, patterns, needs)
    header = pathlib.Path(output_of("bash", str(pathlib.Path(__file__).parent.parent / "share/get-gnuplot-iostream.sh")).strip())
    folder = fresh(work, "gnuplot-iostream")
    (folder / "include").mkdir()
    shutil.copy(header, folder / "include")
    yield recipe("gnuplot-iostream", "1.0", folder, [], [])
    torch = fresh(work, "libtorch")
    for part in ("include", "lib", "share"):
        shutil.copytree(libtorch / part, torch / part, symlinks=True, copy_function=lambda a, b: os.symlink(a, b))
    version = re.match(r"[0-9.]+", (libtorch / "build-version").read_text()).group(0) \
        if (libtorch / "build-version").exists() else libtorch.parent.name.split("-")[-1]
    yield recipe("libtorch", version, torch, [], ["libtorch"])
    yield from arrow_recipes(work, pyarrow)
    for name, programs in TOOLS.items():
        yield tool(work, name, programs)
    yield tool(work, COMPILER, ["g++"], activation=ACTIVATION)
    sysroot = fresh(work, "sysroot_linux-64")  # what rattler-build finds of the C library may be linked
    (sysroot / "x86_64-conda-linux-gnu/sysroot/lib64").mkdir(parents=True)
    for path in sorted(pathlib.Path("/lib", ARCH).glob("*.so.*")):
        if FROM_MACHINE.match(path.name):
            shutil.copy(path, sysroot / "x86_64-conda-linux-gnu/sysroot/lib64")
    yield recipe("sysroot_linux-64", "2.34", sysroot, [], [])
    yield tool(work, "cxx-compiler", [], [COMPILER])


def main():
    channel, libtorch, pyarrow, work = (pathlib.Path(a).resolve() for a in sys.argv[1:5])
    work.mkdir(parents=True, exist_ok=True)
    recipes = list(all_recipes(work, libtorch, pyarrow))
    rattler_build.build_recipes(recipes, output_dir=channel, channel=[channel.as_uri()], test="skip", package_format="conda:1")


if __name__ == "__main__":
    main()
