"""What Python's own `packaging` says, as test/sources/python-packaging.json: `python3 make-python-packaging.py > python-packaging.json`."""

import itertools
import json

import packaging
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

VERSIONS = """0 1 1.0 1.0.0 v1.0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456
1.0b2.post345 1.0b2-346 1.0c1.dev456 1.0c1 1.0rc2 1.0c3 1.0 1.0.post456.dev34 1.0.post456 1.1.dev1 1.2+123abc 1.2+123abc456
1.2+abc 1.2+abc123 1.2+abc123def 1.2+1234.abc 1.2+123456 1.2.r32+123456 1.2.rev33+123456 1!1.0 1!2.0a1 2.6.0+cu126 2.6.0
1.2-alpha_3 1.2.preview 1.2-1 1.4.1 1.4.1.1 1.4.10 2024.12.14 1_0 1. 1.x banana 1.0+ 1.0+a_b 1.0-dev 1.0-post 01.02 1.0+A.1""".split()

SPECIFIERS = """==1.0 ==1.0.* !=1.0 !=1.0.* <1.0 <=1.0 >1.0 >=1.0 ~=1.0 ~=1.4.1 ~=1.4.1a1 <1.0a2 >1.0.post1 ==1.2+abc !=1.2+abc >=1.0,<2
>=1.0.dev1 <1.1.dev1 ==1!1.0 >1.2 <1.2 ===1.0 ===banana ~=1 >=1.0.* ==1.0.*.* >=1+a 1.0 =1.0 ==1.0a1.* <=2.6.0 ==2.6.0 ==2.6.* >2.6.0""".split()

MARKERS = """python_version >= "3.8"
python_version < "3.13"
python_full_version >= "3.12.1"
python_version == "3.12.*"
python_version in "3.11 3.12"
python_version not in "3.8, 3.9"
'3.9' <= python_version
sys_platform == "win32"
sys_platform != 'win32'
platform_system == "Linux" and platform_machine == "x86_64"
platform_machine == "aarch64" or platform_machine == "arm64"
(os_name == "posix" or os_name == "nt") and implementation_name == "cpython"
os_name == "posix" or os_name == "nt" and python_version < "3"
platform_python_implementation != "PyPy"
python_implementation == "CPython"
sys.platform == "linux"
extra == "Socks_X"
extra != "other"
"linux" in sys_platform
"win" not in sys_platform
sys_platform == "linux" and (python_version < "3.9" or (python_version >= "3.12" and extra == ""))
platform_release >= "5"
platform_version == ""
python_version ~= "3.11"
python_version === "3.12"
sys_platform > "a"
sys_platform <= "linux"
nonsense == "1"
python_version >=
python_version > "3" python_version
(python_version > "3"
""".splitlines()

ENVIRONMENTS = [
    ("3.12", "manylinux_2_28_x86_64", "posix", "linux", "Linux", "x86_64"),
    ("3.9", "manylinux_2_17_aarch64", "posix", "linux", "Linux", "aarch64"),
    ("3.11.7", "macosx_14_0_arm64", "posix", "darwin", "Darwin", "arm64"),
    ("3.13", "win_amd64", "nt", "win32", "Windows", "AMD64"),
]

REQUIREMENTS = """requests
requests>=2,<3
requests [socks, Use_Chardet] >= 2.8.1, == 2.8.* ; python_version < "3.13"
A.B-C_d (>=1)
name @ https://host.example/name-1.0-py3-none-any.whl#sha256=abc
name[x]@https://host.example/a;b.whl ; python_version > "3"
name@http://foo.example ; extra == "x"
name<2;python_version>"3"
-bad
name>=
name==1.0;nonsense
name[x
name ==1.0 --hash
==1.0
""".splitlines()

WHEELS = """foo-1.0-py3-none-any.whl
Foo_Bar.baz-1.0-1-cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
foo-1.0-2build-py2.py3-none-any.whl
torch-2.6.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl
foo-1.0.whl
foo__bar-1.0-py3-none-any.whl
foo-1.0-x1-py3-none-any.whl
foo-1.0-py3-none-any.zip
""".splitlines()


def tried(work, *errors):
    try:
        return work()
    except errors:
        return None


def manylinux(minor, arch):
    legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    oldest = 5 if arch in ("x86_64", "i686") else 17
    for one in range(minor, oldest - 1, -1):
        yield f"manylinux_2_{one}_{arch}"
        if one in legacy:
            yield f"{legacy[one]}_{arch}"
    yield f"linux_{arch}"


def tags(python, platforms):
    version = tuple(map(int, python.split(".")[:2]))
    own = f"cp{version[0]}{version[1]}"
    found = [*cpython_tags(version, [own], platforms), *compatible_tags(version, own, platforms)]
    return list(dict.fromkeys(map(str, found)))


def environment(python, os_name, sys_platform, system, machine):
    full = python if python.count(".") == 2 else f"{python}.0"
    return {
        "os_name": os_name, "sys_platform": sys_platform, "platform_system": system, "platform_machine": machine,
        "platform_python_implementation": "CPython", "implementation_name": "cpython", "implementation_version": full,
        "python_version": ".".join(python.split(".")[:2]), "python_full_version": full,
        "platform_release": "", "platform_version": "", "extra": "",
    }  # fmt: skip


def specifier(text):
    found = tried(lambda: SpecifierSet(text), InvalidSpecifier)
    if found is None:
        return None
    versions = [one for one in VERSIONS if tried(lambda: Version(one), InvalidVersion)]
    return [one for one in versions if found.contains(one, prereleases=True)]


def requirement(text):
    found = tried(lambda: Requirement(text), InvalidRequirement)
    return found and {"name": found.name, "extras": sorted(found.extras), "url": found.url, "marker": found.marker is not None}


def wheel(name):
    found = tried(lambda: parse_wheel_filename(name), InvalidWheelFilename)
    return found and {"name": found[0], "build": list(found[2]), "tags": sorted(map(str, found[3]))}


valid = sorted({one for one in VERSIONS if tried(lambda: Version(one), InvalidVersion)})
order = [[a, b, (Version(a) > Version(b)) - (Version(a) < Version(b))] for a, b in itertools.combinations(valid, 2)]
platforms = {
    "manylinux_2_28_x86_64": list(manylinux(28, "x86_64")),
    "manylinux2014_aarch64": list(manylinux(17, "aarch64")),
    "macosx_14_0_arm64": list(mac_platforms((14, 0), "arm64")),
    "macosx_11_0_x86_64": list(mac_platforms((11, 0), "x86_64")),
    "macosx_10_12_x86_64": list(dict.fromkeys(one for one in mac_platforms((10, 12), "x86_64"))),
    "win_amd64": ["win_amd64"],
}
print(
    json.dumps(
        {
            "packaging": packaging.__version__,
            "invalid": [one for one in VERSIONS if one not in valid],
            "order": order,
            "specifiers": {one: specifier(one) for one in SPECIFIERS},
            "markers": [
                [text, python, platform, tried(lambda: Marker(text).evaluate(environment(python, *rest)), InvalidMarker)]
                for text in MARKERS
                for python, platform, *rest in ENVIRONMENTS
            ],
            "requirements": [[text, requirement(text)] for text in REQUIREMENTS],
            "wheels": [[name, wheel(name)] for name in WHEELS],
            "tags": [[python, name, tags(python, all)] for python, name, all in [
                *(("3.12", name, all) for name, all in platforms.items()), ("3.8", "win_amd64", ["win_amd64"]),
            ]],
        },
        separators=(",", ":"),
    )
)  # fmt: skip
