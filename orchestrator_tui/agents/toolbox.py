"""What the tools of each language may do without a question: one table from names to rules."""

from orchestrator_tui.agents.command_rules import Rule, asks, without, works, writes
from orchestrator_tui.agents.interpreter_rules import INLINE
from orchestrator_tui.agents.tool_rules import (
    BEYOND,
    INSTALLS,
    NETWORK,
    asks_for,
    cmake,
    compiles,
    docker,
    go,
    make,
    npm,
    npx,
    pip,
    runner,
    scripts,
    tool,
)

_COMPILERS = """
    gcc g++ cc c++ clang clang++ rustc ld ar as javac kotlinc tcc gfortran ocamlc fpc"""
_FREE = """
    pytest py.test ruff mypy pyright pylint black isort flake8 bandit nox sphinx-build mkdocs
    yapf
    autopep8 pyflakes pydocstyle vulture radon alembic uvicorn gunicorn
    tsc eslint prettier jest vitest mocha ava nyc c8 vite rollup webpack esbuild next nuxt astro svelte-check vue-tsc
    biome
    stylelint cypress tailwindcss postcss babel swc turbo typedoc prisma markdownlint depcheck madge
    tsup karma storybook size-limit standard xo tap
    cpplint cppcheck clang-format clang-tidy gcov lcov autoconf automake autoreconf libtool pkg-config
    bison flex doxygen strip c++filt addr2line indent ctags protoc
    java jar javap junit ktlint detekt ant scalac
    gofmt goimports golangci-lint staticcheck gotestsum golint rustfmt wasm-pack trunk
    shellcheck shfmt hadolint yamllint phpunit phpstan phpcs pest rspec rubocop standardrb
    hugo jekyll asciidoctor configure"""
_CARGO = tool(
    "build b test t check c fmt clippy run r doc d bench clean tree metadata version --version -V new init nextest "
    "locate-project pkgid rustc rustdoc expand verify-project help --list fix",
    asked="fetch add install update remove rm search vendor generate-lockfile audit outdated binstall uninstall info",
    denied="publish login logout yank owner",
    switches=("-q", "--quiet", "-v", "--verbose", "--offline", "--locked", "--frozen"),
    rule=without(("--config", "-Z"), works),
)
_SCRIPTS = "--version -v -V test t run start build lint format dev check why list ls bin root"
_INSTALLING = (
    "install i add remove rm up update upgrade dlx x create init link unlink global audit outdated import "
    "import-method config set plugin store pm cache env setup self-update patch rebuild prune deploy"
)
_PUBLISHING = "publish login logout npm:publish npm:login unpublish owner token"
_UV = {
    "": asks(INSTALLS),
    **dict.fromkeys(("build", "venv", "tree", "version", "--version", "format", "help"), works),
    "publish": tool("", denied="publish"),
}
_FREE_RUN = r"--(frozen|locked|no-sync|offline|all-extras|no-dev|dev|quiet|verbose|isolated|exact|no-progress)|-[qv]"
_VALUE_RUN = r"--(extra|group|python|project|directory|only-group|package)|-p"

TOOLS: dict[str, Rule] = {
    "pip": pip, "pip3": pip, "npm": npm, "npx": npx, "make": make, "gmake": make, "go": go, "cargo": _CARGO,
    "yarn": scripts(tool(_SCRIPTS, asked=_INSTALLING, denied=_PUBLISHING, rest_free=True)),
    "pnpm": scripts(tool(_SCRIPTS, asked=_INSTALLING, denied=_PUBLISHING, rest_free=True)),
    "bun": scripts(tool("test run build --version", rest_free=True, asked=f"{_INSTALLING} -e --eval -p --print",
                        denied=_PUBLISHING)),
    "lerna": scripts(tool("run list ls --version", asked="publish version add bootstrap")),
    "nx": scripts(tool("run run-many affected test build lint list graph --version", asked="migrate release")),
    "tox": scripts(works), "pandoc": asks_for(r".*://.*", NETWORK),
    "rake": asks_for(r"-[eEp].*|--(execute|eval).*", INLINE),
    "flask": asks_for("shell", INLINE), "django-admin": asks_for("shell|dbshell|shell_plus", INLINE),
    "ninja": asks_for("install", BEYOND), "meson": asks_for("install|subprojects|wrap", BEYOND),
    "ctest": asks_for(r"-S.*|--script|--build-and-test|-D|-M", "it runs what its arguments say."),
    "playwright": asks_for("install|install-deps|codegen|open", INSTALLS),
    "pre-commit": asks_for("try-repo|install|install-hooks|uninstall|autoupdate|init-templatedir", INSTALLS),
    "bunx": npx,
    "uv": runner(_UV, _FREE_RUN, _VALUE_RUN),
    **dict.fromkeys(("poetry", "pipenv", "pdm", "hatch", "rye"), runner({
        "": asks(INSTALLS), **dict.fromkeys(("build", "check", "version", "--version", "show", "test", "fmt"), works),
        "publish": tool("", denied="publish"),
    }, r"-[qv]|--quiet|--verbose")),
    "bundle": runner({
        "": asks(INSTALLS), **dict.fromkeys(("check", "list", "show", "info", "--version"), works),
    }, r"(?!)"),
    "gem": tool("list --version -v environment info contents which", asked="install update fetch",
                denied="push signin owner yank"),
    "rails": tool("test routes server s generate g db:migrate db:seed db:setup db:create stats about --version",
                  asked="runner r console c dbconsole", why=INLINE),
    "mvn": tool("test compile package verify clean install validate test-compile -v --version -q -B -o spotless:apply "
                "dependency:tree", rest_free=True, why=NETWORK,
                asked="deploy site-deploy release:perform exec:java exec:exec",
                switches=("-q", "-B", "-o", "--offline", "--batch-mode", "-ntp")),
    "gradle": tool("build test check assemble clean run tasks --version jar bootRun", rest_free=True, asked="publish",
                   switches=("-q", "--offline", "--no-daemon", "--console=plain", "--info")),
    "gradlew": tool("", rest_free=True), "mvnw": tool("", rest_free=True),
    "sbt": tool("compile test run clean package", asked="publish console"),
    "dotnet": tool("build test run format new clean sln list --version --info --list-sdks watch publish pack",
                   asked="restore add remove tool nuget workload ef", denied="nuget:push"),
    "composer": tool("test run-script run dump-autoload validate show --version check", rest_free=True,
                     asked="install require update remove create-project global self-update exec"),
    "mix": tool("test compile format run deps.tree credo dialyzer ecto.migrate",
                asked="deps.get local.hex archive.install", denied="hex.publish"),
    "cmake": cmake, "rimraf": writes, "nodemon": asks("it runs what its arguments say.", works),
    "rustup": tool("show --version which", asked="update install toolchain component target default"),
    "swift": tool("build test run --version"), "flutter": tool("test analyze build --version"),
    "dart": tool("test analyze format run --version"), "terraform": tool("fmt validate version --version"),
    "zig": tool("build test fmt version run build-exe build-lib", rule=compiles),
    "docker": docker, "podman": docker, "docker-compose": docker,
    **dict.fromkeys(_FREE.split(), works),
    **dict.fromkeys(_COMPILERS.split(), compiles),
}  # fmt: skip
